//! Imports point downward only, and siblings do not know each other (the table is in the front page of the crate).

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first; what stands on one line may not import each other.
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["scheduler", "net", "telemetry"],
    &["engine", "discovery", "advisor"],
    &["cluster", "proxy"],
    &["api"],
    &["server"],
    &["config"],
    &["cli"],
];

#[test]
fn imports_point_downward() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in sources(&src) {
        let Some(own) = layer_of(&src, &file) else {
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for found in imported(line) {
                seen += 1;
                let allowed = rank(&found) < rank(&own) || found == own;
                if !allowed {
                    wrong.push(format!(
                        "{}:{}: {own} imports {found}",
                        file.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(
        seen > 100,
        "the sources were not read: {seen} imports found"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let long: Vec<String> = sources(&src)
        .into_iter()
        .map(|f| (fs::read_to_string(&f).unwrap().lines().count(), f))
        .filter(|(lines, _)| *lines > 500)
        .map(|(lines, f)| format!("{}: {lines} lines", f.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Returns all source files under a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// Returns the layer a file belongs to; `main.rs` and `lib.rs` wire all of them.
fn layer_of(src: &Path, file: &Path) -> Option<String> {
    let first = file.strip_prefix(src).unwrap().components().next()?;
    let name = first
        .as_os_str()
        .to_str()?
        .trim_end_matches(".rs")
        .to_owned();
    (name != "main" && name != "lib").then_some(name)
}

/// Returns the layers that a line names, as `crate::layer`.
fn imported(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let parts = code.split("crate::").skip(1);
    parts
        .filter_map(|rest| {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            LAYERS
                .iter()
                .flat_map(|l| l.iter())
                .any(|l| *l == name)
                .then_some(name)
        })
        .collect()
}

fn rank(layer: &str) -> usize {
    LAYERS
        .iter()
        .position(|l| l.contains(&layer))
        .unwrap_or_else(|| panic!("{layer} is in no layer: add it to the table"))
}
