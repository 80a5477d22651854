//! Gets the grpcio wheels, with pip, into a folder that is kept: RAYTLS_CACHE, else Cargo's for the files of tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::runner::Wheel;

/// grpcio of this version; none means the newest that pip finds, which is looked for each time.
///
/// # Errors
/// What pip, or whatever else failed, said.
pub(crate) fn wheel(version: Option<&str>) -> Result<Wheel, String> {
    let root = match std::env::var_os("RAYTLS_CACHE") {
        Some(cache) => PathBuf::from(cache).join("oracle"),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle"),
    };
    let python = environment(&root)?;
    let name = version.unwrap_or("newest");
    let packages = root.join(name);
    if version.is_none() {
        // What is there may be old.
        let _ = std::fs::remove_dir_all(&packages);
    }
    if let Ok(found) = imported(&python, &packages)
        && version == Some(&found)
    {
        return Ok(Wheel { python, packages, version: found });
    }
    let wanted = version.map_or_else(|| "grpcio".into(), |version| format!("grpcio=={version}"));
    let _ = std::fs::remove_dir_all(&packages);
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary=:all:"])
        .arg("--target")
        .arg(&packages)
        .arg(&wanted))
    .map_err(|error| {
        format!("{wanted} cannot be installed (1.58.0 has wheels for Python 3.7 to 3.11 only): {error}")
    })?;
    let version = imported(&python, &packages)?;
    Ok(Wheel { python, packages, version })
}

/// The interpreter of a virtual environment with pip. RAYTLS_ORACLE_PYTHON names the one it is made with.
fn environment(root: &Path) -> Result<PathBuf, String> {
    let folder = root.join("venv");
    let python = folder.join("bin/python");
    if run(Command::new(&python).args(["-m", "pip", "--version"])).is_err() {
        let base = std::env::var_os("RAYTLS_ORACLE_PYTHON").unwrap_or_else(|| "python3".into());
        run(Command::new(&base).args(["-m", "venv", "--clear"]).arg(&folder)).map_err(|error| {
            format!("{} -m venv does not work (Debian has it in python3-venv): {error}", base.to_string_lossy())
        })?;
    }
    Ok(python)
}

fn imported(python: &Path, packages: &Path) -> Result<String, String> {
    run(Command::new(python).args(["-c", "import grpc; print(grpc.__version__)"]).env("PYTHONPATH", packages))
}

/// Standard output, or what was said instead.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{} {}", text(&output.stdout), text(&output.stderr)))
    }
}
