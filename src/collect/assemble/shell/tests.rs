//! Scripts, and what is read of them.

use crate::collect::assemble::redact::kept_words;

fn read(script: &str) -> (String, String) {
    let (words, unread) = kept_words(&["bash".to_owned(), "-c".into(), script.into()]);
    (words.join(" "), unread.join(" "))
}

fn certain(script: &str) -> String {
    let (words, unread) = read(script);
    assert_eq!(unread, "", "{script}");
    words
}

#[test]
fn what_holds_for_ray_is_kept_in_one_form() {
    for (script, kept) in [
        ("env -u RAY_USE_TLS ray start", "unset RAY_USE_TLS ; ray start"),
        (
            "env --unset=RAY_USE_TLS -uRAY_ADDRESS exec ray start",
            "unset RAY_USE_TLS ; unset RAY_ADDRESS ; exec ray start",
        ),
        ("exec env RAY_USE_TLS=0 ray start", "export RAY_USE_TLS=0 ; exec ray start"),
        ("RAY_USE_TLS=0 ray start", "export RAY_USE_TLS=0 ; ray start"),
        ("env -i PATH=/bin RAY_USE_TLS=1 ray start", "env -i ; export RAY_USE_TLS=1 ; ray start"),
        ("RAY_USE_TLS=1; export RAY_USE_TLS; ray start", "export RAY_USE_TLS=1 ; ray start"),
        ("set -a; RAY_USE_TLS=1; ray start", "export RAY_USE_TLS=1 ; ray start"),
        ("RAY_USE_TLS=1; ray start", "RAY_USE_TLS=1 ; ray start"),
        (
            "declare -x RAY_USE_TLS=1; export -n RAY_ADDRESS; ray start",
            "export RAY_USE_TLS=1 ; unset RAY_ADDRESS ; ray start",
        ),
        ("cd /x 2>&1 && export RAY_USE_TLS=1; ray start", "export RAY_USE_TLS=1 ; ray start"),
        ("test -f /x && export RAY_USE_TLS=1 && ray start", "export RAY_USE_TLS=1 && ray start"),
        ("unset RAY_USE_TLS || true; while true; do ray start; done", "unset RAY_USE_TLS || ray start"),
    ] {
        assert_eq!(certain(script), kept, "{script}");
    }
}

#[test]
fn what_holds_for_another_program_is_gone() {
    for script in [
        "RAY_USE_TLS=0 python check.py; ray start",
        "env -u RAY_USE_TLS python check.py && ray start",
        "ray start; export RAY_USE_TLS=0; python app.py",
        "env RAY_USE_TLS=0; ray start",
        "cat <<EOF > /x\nRAY_USE_TLS=0\nEOF\nray start",
        "make RAY_USE_TLS=0; ray start",
    ] {
        let words = certain(script);
        assert!(!words.contains("RAY_USE_TLS") && words.contains("ray start"), "{script}: {words}");
    }
}

#[test]
fn a_change_that_may_not_happen_is_not_read() {
    for script in [
        "if [ -f /x ]; then export RAY_USE_TLS=1; fi; ray start",
        "[ -f /x ] && export RAY_USE_TLS=1; ray start",
        "ray --version || unset RAY_USE_TLS; ray start",
        "case $X in a) export RAY_USE_TLS=1;; esac; ray start",
        "for x in a b; do RAY_USE_TLS=$x; done; ray start",
        "f() { export RAY_USE_TLS=1; }; f; ray start",
        "(export RAY_USE_TLS=1); ray start",
        "export RAY_USE_TLS=1 | cat; ray start",
        "eval export RAY_USE_TLS=1; ray start",
        "read RAY_USE_TLS < /x; ray start",
        "sudo -E RAY_USE_TLS=0 ray start",
    ] {
        let (words, unread) = read(script);
        assert_eq!(unread, "RAY_USE_TLS", "{script}");
        assert!(!words.contains("RAY_USE_TLS"), "{script}: {words}");
    }
    let (words, unread) = read("if [ -f /x ]; then export RAY_USE_TLS=1; ray start; fi");
    assert_eq!((words.as_str(), unread.as_str()), ("export RAY_USE_TLS=1 ; ray start", ""), "one block for both");
}

#[test]
fn what_other_files_texts_and_programs_may_change_is_not_read() {
    for script in [
        "set -a; . /etc/ray/tls.env; set +a; ray start",
        "source /etc/ray/tls.env && exec ray start",
        "export $(grep -v '^#' /etc/ray/tls.env | xargs) && exec ray start",
        "env $(cat /x | xargs) ray start",
        "eval $(cat /x); ray start",
        "eval `cat /x`; ray start",
        "echo \"to disable TLS; export RAY_USE_TLS=0\"; ray start",
        "trap \"ray stop; unset RAY_USE_TLS\" EXIT; ray start",
        "python -c \"import os; RAY_USE_TLS=0; print(1)\"; ray start",
        "bash -c \"export RAY_USE_TLS=0\"; ray start",
        "bash -c \"unset RAY_USE_TLS; python check.py\"; ray start",
        "start() {\nray start\n}\nexport RAY_USE_TLS=0\nstart",
        "timeout 10 env -u RAY_USE_TLS ray start",
        "if [ -f /x ]; then exec env RAY_USE_TLS=1 ray start; fi; exec env RAY_USE_TLS=0 ray start",
        "( unset RAY_USE_TLS; python x.py )\nray start",
        "(unset RAY_USE_TLS; (python x.py)); ray start",
        "printf -v RAY_USE_TLS 1; export RAY_USE_TLS; ray start",
        ": ${RAY_USE_TLS:=1}; export RAY_USE_TLS; ray start",
    ] {
        let (words, unread) = read(script);
        assert!(unread.contains("RAY_USE_TLS"), "{script}: {unread}");
        assert!(!words.contains("RAY_USE_TLS") && words.contains("ray start"), "{script}: {words}");
    }
    for (script, kept) in [
        (". ~/.bashrc; source /opt/conda/bin/activate; ray start", "ray start"),
        ("\\unset RAY_USE_TLS; ray start", "unset RAY_USE_TLS ; ray start"),
        ("unset -f RAY_USE_TLS; ray start", "ray start"),
        ("RAY_USE_TLS=1; set -a; ray start", "RAY_USE_TLS=1 ; ray start"),
        ("set -a; set +a; RAY_USE_TLS=1; ray start", "RAY_USE_TLS=1 ; ray start"),
        ("echo ray start; export RAY_USE_TLS=0; ray start", "export RAY_USE_TLS=0 ; ray start"),
        ("cat > /x <<EOF && ray start\nRAY_USE_TLS=0\nEOF\n", "ray start"),
        ("echo \"now RAY_USE_TLS=$RAY_USE_TLS\"; RAY_ADDRESS=a ray start", "export RAY_ADDRESS=a ; ray start"),
    ] {
        assert_eq!(certain(script), kept, "{script}");
    }
}

#[test]
fn a_shell_around_the_script_hands_on_what_it_got() {
    let words = ["env", "-u", "RAY_USE_TLS", "sh", "-c", "cd /x; exec ray start"].map(String::from);
    assert_eq!(kept_words(&words).0.join(" "), "unset RAY_USE_TLS ; exec ray start");
    let words = ["tini", "--", "bash", "-lc", "export RAY_USE_TLS=1; ray start"].map(String::from);
    assert_eq!(kept_words(&words).0.join(" "), "export RAY_USE_TLS=1 ; ray start");
}
