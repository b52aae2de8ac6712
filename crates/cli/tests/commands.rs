//! The built command, on files of both kinds.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pullback_graph::op::Registry;
use pullback_graph::{Builder, DType, Graph, GraphFile, Tensor, interpret, sym};
use pullback_graph::{NodeStats, RunStats};
use tempfile::TempDir;

fn pullback(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pullback")).args(arguments).output().unwrap()
}

/// Standard output of a command that succeeds.
fn stdout(arguments: &[&str]) -> String {
    let output = pullback(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and standard error of a command that fails.
fn failure(arguments: &[&str]) -> (i32, String) {
    let output = pullback(arguments);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// `loss = Σ tanh(x · w)` with its gradient in `w`, for any batch size.
fn program() -> Graph {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [sym("batch"), 3.into()]);
    let w = b.parameter("w", DType::F32, [3, 2]);
    let loss = b.scope("dense", || x.dot(w).tanh()).sum();
    let [dw] = pullback_autodiff::grad(loss, [w]).unwrap();
    b.finish([("loss", loss), ("dw", dw)]).unwrap()
}

struct Files {
    directory: TempDir,
    graph: Graph,
}

impl Files {
    /// `graph.json`, with statistics of a run, and `graph.txt`, without.
    fn new() -> Self {
        let (directory, graph) = (tempfile::tempdir().unwrap(), program());
        let feeds = [("x", Tensor::random([4, 3], 0)), ("w", Tensor::random([3, 2], 1))];
        let values = interpret(&graph, feeds.iter().map(|(name, value)| (*name, value))).unwrap();
        let stats: RunStats = graph.ids().map(|id| (id, NodeStats::of(values.node(id)))).collect();
        GraphFile::of(&graph).with_stats(&stats).save(directory.path().join("graph.json")).unwrap();
        std::fs::write(directory.path().join("graph.txt"), graph.to_string()).unwrap();
        Files { directory, graph }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.name(name)
    }
}

#[test]
fn both_kinds_of_file_show_the_same_graph() {
    let files = Files::new();
    let (json, text) = (files.name("graph.json"), files.name("graph.txt"));
    assert_eq!(stdout(&["show", &json]), files.graph.summary().to_string());
    assert_eq!(stdout(&["show", &text]), files.graph.summary().to_string());
    assert_eq!(stdout(&["text", &text]), files.graph.to_string());
    assert_eq!(stdout(&["dot", &text]), files.graph.dot().to_string());
    assert_eq!(stdout(&["mermaid", &json]), files.graph.mermaid().to_string());
    assert_eq!(stdout(&["gradients", &text]), files.graph.forward_with_gradients().to_string());
    let bound = stdout(&["show", &json, "--bind", "batch=10"]);
    assert!(bound.contains("x      f32[10, 3]  data"), "{bound}");
}

#[test]
fn statistics_of_the_file_are_shown() {
    let files = Files::new();
    let json = files.name("graph.json");
    assert!(stdout(&["text", &json]).contains("  # mean "));
    assert!(stdout(&["dot", &json]).contains("\\nmean "));
    let gradients = stdout(&["gradients", &json]);
    assert!(
        gradients.contains("      value     mean ") && gradients.contains("      gradient  mean "),
        "{gradients}"
    );
}

#[test]
fn files_are_converted_back_and_forth() {
    let files = Files::new();
    let (json, text, again) = (files.name("graph.json"), files.name("new.txt"), files.name("again.json"));
    stdout(&["convert", &json, &text]);
    stdout(&["convert", &text, &again]);
    let load = |path: &str| GraphFile::load(path).unwrap().graph(&Registry::new()).unwrap();
    assert_eq!(load(&again), files.graph);
    stdout(&["convert", &json, &again]);
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert_eq!(read(&again), read(&json));
    let (code, error) = failure(&["convert", &json, &files.name("graph.onnx")]);
    assert!(code == 2 && error.contains("ends in .json or .txt"), "{error}");
}

#[test]
fn a_picture_is_written_to_a_file() {
    let files = Files::new();
    let picture = files.name("graph.dot");
    assert_eq!(stdout(&["dot", &files.name("graph.txt"), "-o", &picture]), "");
    assert_eq!(std::fs::read_to_string(&picture).unwrap(), files.graph.dot().to_string());
}

#[test]
fn a_graph_is_read_from_standard_input() {
    let text = program().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pullback"))
        .args(["text", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), text);
}

#[test]
fn a_plan_shows_steps_memory_and_predictions() {
    let files = Files::new();
    let json = files.name("graph.json");
    let plan = stdout(&["plan", &json, "--bind", "batch=32", "--threads", "1,2,64"]);
    assert!(
        plan.starts_with("plan: ") && plan.contains("memory: ") && plan.contains("critical path: "),
        "{plan}"
    );
    let rows: Vec<&str> = plan.lines().skip_while(|line| !line.contains("speed-up")).collect();
    assert_eq!(rows.len(), 4, "{plan}");
    assert!(rows[1].trim_start().starts_with("1 ") && rows[1].ends_with("1.00"), "{plan}");
    assert!(stdout(&["plan", &json, "--bind", "batch=32", "--no-passes"]).starts_with("plan: "));
    let (code, error) = failure(&["plan", &json]);
    assert!(code == 2 && error.contains("give a size to batch: --bind batch=SIZE"), "{error}");
    let (code, error) = failure(&["plan", &json, "--bind", "batch=1000000000000000"]);
    assert!(code == 1 && error.contains("bytes, more than"), "{error}");
}

#[test]
fn a_bench_tells_where_time_goes_and_what_more_threads_would_do() {
    let files = Files::new();
    let json = files.name("graph.json");
    let bench =
        |more: &[&str]| stdout(&[&["bench", &json, "--bind", "batch=8", "--seconds", "0"], more].concat());
    let all = bench(&["--threads", "1,2", "--predict", "1,4", "--top", "1"]);
    for part in ["assumed rates", "\n1 thread(s): ", "\n2 thread(s): ", "µs in steps", "estimated"] {
        assert!(all.contains(part), "{part:?} is missing in\n{all}");
    }
    let rows: Vec<&str> = all.lines().skip_while(|line| !line.contains("speed-up")).collect();
    assert!(rows.len() == 3 && rows[1].trim_start().starts_with("1 "), "{all}");
    assert!(bench(&["--measure-rates", "--threads", "1"]).starts_with("measured rates"));
    assert_eq!(failure(&["bench", &json]).0, 2);
}

#[test]
fn gradients_of_a_file_are_checked() {
    let files = Files::new();
    let json = files.name("graph.json");
    let report = stdout(&["check", &json, "--bind", "batch=4"]);
    assert!(report.starts_with("gradient of loss in w\n") && report.contains("comparisons hold"), "{report}");
    let second =
        stdout(&["check", &json, "--bind", "batch=2", "--wrt", "x,w", "--order", "2", "--seed", "7"]);
    assert!(second.starts_with("gradient of loss in x, w\n"), "{second}");
    for (arguments, expected) in [
        (vec!["--output", "lose"], "there is no output \"lose\""),
        (vec!["--wrt", "v"], "there is no input \"v\""),
        (vec!["--range", "1..1"], "1..1 is empty"),
    ] {
        let (_, error) = failure(&[vec!["check", &json, "--bind", "batch=4"], arguments].concat());
        assert!(error.contains(expected), "{error}");
    }
    let (code, error) = failure(&["check", &json, "--bind", "batch=100000000"]);
    assert!(code == 1 && error.contains("more than"), "{error}");
}

#[test]
fn what_is_wrong_is_said_on_standard_error() {
    let files = Files::new();
    let json = std::fs::read_to_string(files.path("graph.json")).unwrap();
    let cases = [
        (files.name("missing.json"), 1, "missing.json: No such file"),
        (files.write("half.json", &json[..json.len() / 2]), 1, "half.json: not a graph file: EOF"),
        (files.write("other.json", "{\"format\": \"onnx\", \"version\": 1}"), 1, "format is \"onnx\""),
        (files.write("list.json", "[]"), 1, "not a graph file"),
        (
            files.write("new.json", &json.replace("\"version\": 1", "\"version\": 2")),
            1,
            "version 2 is newer than 1",
        ),
        (files.write("op.json", &json.replace("\"tanh\"", "\"tnah\"")), 1, "unknown op \"tnah\""),
        (files.write("empty.txt", ""), 1, "line 1, column 1: expected `graph`, got the end of the text"),
        (
            files.write("cycle.txt", "graph {\n%0 = neg(%0) : f32[]\n}"),
            1,
            "%0: operand %0 does not come before its user",
        ),
        (
            files.write("type.txt", "graph {\n%0 = iota() axis=0 shape=[2] : f32[2]\n}"),
            1,
            "its type is written as f32[2]",
        ),
    ];
    for (path, code, expected) in cases {
        let (found, error) = failure(&["show", &path]);
        assert!(found == code && error.starts_with("error: ") && error.contains(expected), "{path}: {error}");
    }
    std::fs::write(files.path("binary"), [0xff, 0xfe]).unwrap();
    assert!(failure(&["show", &files.name("binary")]).1.contains("UTF-8"));
    assert_eq!(failure(&["frobnicate"]).0, 2);
    assert_eq!(failure(&["plan", "x", "--bind", "batch"]).0, 2);
    let (code, error) = failure(&["show", &files.name("graph.json"), "--bind", "seq=3"]);
    assert!(
        code == 2 && error.contains("there is no symbolic dimension \"seq\": there are batch"),
        "{error}"
    );
    assert!(
        failure(&["show", &files.name("graph.json"), "--bind", "batch=1,batch=2"]).1.contains("bound twice")
    );
}

#[test]
fn messages_cannot_steer_the_terminal() {
    let files = Files::new();
    let text = "graph {\n%0 = input() name=\"a\\u001b[2J\" kind=data : f32[]\n%1 = input() name=\"a\\u001b[2J\" kind=data : f32[]\n}";
    let (_, error) = failure(&["show", &files.write("twice.txt", text)]);
    assert!(!error.contains('\u{1b}') && error.contains("\\u{1b}[2J"), "{error}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let files = Files::new();
    let b = Builder::new();
    let mut x = b.input("x", DType::F32, ());
    for _ in 0..20_000 {
        x = x.tanh();
    }
    let path = files.write("long.txt", &b.finish([("y", x)]).unwrap().to_string());
    let mut child = Command::new(env!("CARGO_BIN_EXE_pullback"))
        .args(["text", &path])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 64];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn help_names_every_command() {
    let help = stdout(&["--help"]);
    for command in ["show", "text", "gradients", "dot", "mermaid", "plan", "bench", "check", "convert"] {
        assert!(help.contains(&format!("\n  {command}")), "{help}");
    }
    assert!(Path::new(env!("CARGO_BIN_EXE_pullback")).exists());
}

#[test]
fn reference_cases_are_answered_one_a_line() {
    let files = Files::new();
    let x = r#"[{"name": "x", "dtype": "f64", "shape": [2], "data": [3, Infinity], "grad": true}]"#;
    let seed = r#"[{"dtype": "f64", "shape": [2], "data": [1, 1]}]"#;
    let case = |op: &str| format!(r#"{{"id": "{op}/1", "op": "{op}", "inputs": {x}, "cotangents": {seed}}}"#);
    let cases = files.write("cases.jsonl", &format!("{}\n\n{}\n", case("square"), case("rectangle")));
    let answers = files.name("answers.jsonl");
    for flags in [&["--f32"][..], &["--interpret"], &[]] {
        let arguments = [&["reference", &cases, &answers], flags].concat();
        assert_eq!(stdout(&arguments), "2 answers, 1 of them reasons why there is none\n");
        let dtype = if flags == ["--f32"] { "f32" } else { "f64" };
        let tensor = |last: &str| format!(r#"{{"data":{last},"dtype":"{dtype}","shape":[2]}}"#);
        let expected = format!(
            "{}\n{}\n",
            format_args!(
                r#"{{"grads":[{}],"id":"square/1","outputs":[{}]}}"#,
                tensor(r#"[6.0,"Infinity"]"#),
                tensor(r#"[9.0,"Infinity"]"#)
            ),
            r#"{"id":"rectangle/1","skip":"the operation \"rectangle\" is not known"}"#
        );
        assert_eq!(std::fs::read_to_string(&answers).unwrap(), expected);
    }
}
