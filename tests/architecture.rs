//! The rules that ARCHITECTURE.md states about the sources themselves: who imports whom, what is absent, what is fresh.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Every `.rs` file below a folder of the repository.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // Folders of unit tests are no part of what is shipped.
                if path.file_name().is_some_and(|name| name != "tests") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(ROOT).unwrap().to_path_buf(), text));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "{folder} has sources");
    files
}

/// A source without its comments and its `#[cfg(test)]` module, which stands last in a file.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Fails with every place where one of `words` stands in the code of `folder`.
fn absent(folder: &str, words: &[&str], except: &[&str]) {
    let mut found = Vec::new();
    for (path, text) in sources(folder) {
        if except.iter().any(|except| path.to_string_lossy().replace('\\', "/").ends_with(except)) {
            continue;
        }
        let code = code(&text);
        found.extend(
            words
                .iter()
                .filter(|word| code.contains(**word))
                .map(|word| format!("{}: {word}", path.display())),
        );
    }
    assert!(found.is_empty(), "not allowed in {folder}:\n{}", found.join("\n"));
}

/// The crates of this workspace that a crate depends on outside of tests.
fn own_dependencies(package: &str) -> Vec<String> {
    let manifest =
        fs::read_to_string(Path::new(ROOT).join("crates").join(package).join("Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).expect("a section of dependencies");
    let section = dependencies.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.strip_prefix("pullback-"));
    let mut names: Vec<String> =
        names.map(|line| line.split(['.', ' ', '=']).next().unwrap().to_string()).collect();
    names.sort();
    names
}

#[test]
fn crates_import_only_what_the_code_map_says() {
    for (package, allowed) in [
        ("graph", &[][..]),
        ("autodiff", &["graph"]),
        ("exec", &["graph"]),
        ("nn", &["autodiff", "graph"]),
        ("train", &["autodiff", "exec", "graph", "nn"]),
    ] {
        let own = own_dependencies(package);
        let strangers: Vec<_> = own.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(strangers.is_empty(), "crates/{package} must not depend on {strangers:?}");
    }
    absent("crates/graph/src", &["rayon", "std::thread"], &[]);
}

/// Invariant 6: planners, kernels and passes ask an op's class and table columns.
#[test]
fn no_planner_or_kernel_names_an_elementwise_op() {
    let rows: Vec<String> = ["crates/graph/src/op/unary.rs", "crates/graph/src/op/binary.rs"]
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
            let family = if file.contains("unary") { "UnaryOp" } else { "BinaryOp" };
            let rows = text.lines().filter(|line| line.starts_with("    ") && line.contains(", domain"));
            let names = rows.filter_map(|line| {
                line.split_once(" = ").map(|(name, _)| format!("{family}::{}", name.trim()))
            });
            names.collect::<Vec<_>>()
        })
        .filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == ':'))
        .collect();
    assert!(rows.len() > 30, "the tables were read: {rows:?}");
    let words: Vec<&str> = rows.iter().map(String::as_str).collect();
    absent("crates/exec/src", &words, &[]);
}

/// Invariant 7: a gradient node is a node.
#[test]
fn exec_does_not_know_what_a_gradient_is() {
    absent(
        "crates/exec/src",
        &["gradient_of", "Role::Gradient", "cotangent", "pullback(", "fn backward"],
        &[],
    );
}

/// Invariant 8.
#[test]
fn nn_does_not_know_how_to_execute() {
    absent("crates/nn/src", &["Session", "pullback_exec", "rayon"], &[]);
}

/// Invariant 12: nothing reads environment variables or prints, except the command and the trainer's progress.
#[test]
fn libraries_neither_print_nor_read_the_environment() {
    let words = ["println!", "print!(", "eprintln!", "eprint!", "std::env", "env::var", "dbg!"];
    for folder in ["crates/graph/src", "crates/autodiff/src", "crates/exec/src", "crates/nn/src", "src"] {
        absent(folder, &words, &[]);
    }
    absent("crates/train/src", &words, &["progress.rs"]);
}

/// `lib.rs` and `mod.rs` are maps: what exists, in reading order.
#[test]
fn maps_hold_no_functions() {
    for folder in [
        "crates/graph/src",
        "crates/autodiff/src",
        "crates/exec/src",
        "crates/nn/src",
        "crates/train/src",
        "src",
    ] {
        for (path, text) in sources(folder) {
            if path.ends_with("lib.rs") || path.ends_with("mod.rs") {
                let functions: Vec<_> =
                    code(&text).lines().filter(|line| line.contains("fn ")).map(String::from).collect();
                assert!(functions.is_empty(), "{}: {functions:?}", path.display());
            }
        }
    }
}

/// Every file that ARCHITECTURE.md and the docs name exists.
#[test]
fn documents_name_files_that_exist() {
    let mut documents = vec![PathBuf::from("ARCHITECTURE.md"), "README.md".into(), "CONTRIBUTING.md".into()];
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).unwrap();
    documents.extend(docs.map(|entry| Path::new("docs").join(entry.unwrap().file_name())));
    let mut stale = Vec::new();
    for document in
        documents.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    {
        let text = fs::read_to_string(Path::new(ROOT).join(document)).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let path = quoted.split([' ', ':']).next().unwrap_or_default();
            let is_path = ["crates/", "tests/", "examples/", "benches/", "docs/", "src/", ".ci/"]
                .iter()
                .any(|prefix| path.starts_with(prefix));
            let literal = !path.contains(['*', '{', '<', '…', '(', '"']);
            if is_path && literal && !Path::new(ROOT).join(path).exists() {
                stale.push(format!("{}: {path}", document.display()));
            }
        }
    }
    assert!(stale.is_empty(), "files that do not exist:\n{}", stale.join("\n"));
}
