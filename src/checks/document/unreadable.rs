//! DOC01: a document or file that could not be read.

use crate::checks::{Case, Check, Findings, Severity, Subject};

/// The check.
pub static CHECK: Check = Check {
    code: "DOC01",
    name: "unreadable-document",
    severity: Severity::Error,
    help: "\
A document or file that was given could not be read, so nothing in it was judged. The others were.

Why it matters: what is not read may hold the very object that breaks the cluster, and `kubectl apply` refuses it too.

Mend it: correct the line that is named; `kubectl apply --dry-run=client -f FILE` shows what Kubernetes reads.

Authority: YAML 1.2; the object shapes of the Kubernetes API.",
    run,
};

fn run(case: &Case<'_>, findings: &mut Findings) {
    for problem in &case.evidence.problems {
        let object = problem.object.clone().unwrap_or_default();
        let file = problem.origin.file.clone();
        let subject = match &problem.object {
            Some(_) => Subject {
                kind: object.kind,
                namespace: Some(object.namespace).filter(|ns| !ns.is_empty()),
                name: object.name,
                key: None,
                file,
                line: problem.origin.line,
            },
            None => Subject {
                kind: "File".into(),
                name: file.clone().unwrap_or_else(|| "-".into()),
                file,
                line: problem.origin.line,
                ..Subject::default()
            },
        };
        findings.add(subject, problem.message.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::*;

    use crate::evidence::{Evidence, Mode, ObjectRef, Origin, Problem};

    fn scene(problems: Vec<Problem>) -> Scene {
        let now = NOW.parse().unwrap();
        let mut evidence = Evidence::new(Mode::Manifests, "test", now);
        evidence.problems = problems;
        Scene::of(evidence, now)
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let origin = Origin { file: Some("a.yaml".into()), line: Some(12) };
        let text = Problem { origin: origin.clone(), object: None, message: "line 12 is no YAML".into() };
        let object = Some(ObjectRef::new("Secret", "ray", "tls"));
        let findings = scene(vec![text, Problem { origin, object, message: "no data".into() }]).run(&CHECK);
        let told: Vec<_> =
            findings.iter().map(|f| (f.subject.kind.as_str(), f.subject.name.as_str(), f.subject.line)).collect();
        assert_eq!(told, [("File", "a.yaml", Some(12)), ("Secret", "tls", Some(12))]);
        assert_eq!(findings[0].message, "line 12 is no YAML");
        assert_eq!(findings[0].severity, Severity::Error);
    }

    #[test]
    fn good_and_unseen_files_are_quiet() {
        assert_quiet(&CHECK);
    }
}
