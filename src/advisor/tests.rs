//! Plug-ins of every kind, good and bad.

use std::io::Write as _;
use std::time::Instant;

use super::*;
use crate::model::devices::Demand;
use crate::model::{Health, Node, Resources, Stock};
use crate::scheduler::advice::Opinion;
use crate::scheduler::{Request, Score};

const GIB: i64 = 1 << 30;

fn node(name: &str, labels: &[(&str, &str)]) -> Node {
    let labels = labels
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let labels: BTreeMap<String, String> = labels.collect();
    Node {
        key: format!("{name}:2375").into(),
        name: name.to_owned(),
        health: Health::Healthy,
        devices: Arc::new(Stock::of(&labels, &serde_json::Value::Null)),
        labels,
        capacity: Resources {
            nano_cpus: 4 * Resources::NANO_PER_CPU,
            memory_bytes: 8 * GIB,
        },
        ..Node::default()
    }
}

/// Asks one plug-in at an hour of the day (UTC).
async fn ask_at(
    hour: i64,
    name: &str,
    request: &Request,
    nodes: Vec<Node>,
) -> Result<BTreeMap<String, Opinion>, String> {
    let advisors = Advisors::load([name]).map_err(|e| e.to_string())?;
    let nodes: Vec<_> = nodes.into_iter().map(Arc::new).collect();
    let now = jiff::Timestamp::from_second(hour * 3600).unwrap();
    let question = Question::new(request, &nodes, now);
    let mut advice = advisors.consult(&[name], question).await;
    let said = advice.0.remove(name).unwrap()?;
    let by_name = said.into_iter().map(|(key, opinion)| {
        let name = key.strip_suffix(":2375").unwrap();
        (name.to_owned(), opinion)
    });
    Ok(by_name.collect())
}

/// Asks about two plain nodes; returns the error.
async fn failure(name: &str) -> String {
    let nodes = vec![node("a", &[]), node("b", &[])];
    ask_at(0, name, &Request::default(), nodes)
        .await
        .unwrap_err()
}

/// Writes a plug-in to a file; returns its name.
fn written(folder: &tempfile::TempDir, kind: &str, text: &str) -> String {
    let path = folder.path().join(format!("plug-in.{kind}"));
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    format!("{kind}:{}", path.display())
}

/// Returns the names, best first, of those that are not refused.
fn order(said: &BTreeMap<String, Opinion>) -> Vec<&str> {
    let mut scored: Vec<_> = said
        .iter()
        .filter_map(|(name, opinion)| match opinion {
            Opinion::Score(points) => Some((std::cmp::Reverse(*points), name.as_str())),
            Opinion::Refused(_) => None,
        })
        .collect();
    scored.sort_unstable();
    scored.into_iter().map(|(_, name)| name).collect()
}

fn example(kind: &str, file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/strategies");
    format!("{kind}:{folder}/{file}")
}

#[cfg(feature = "script")]
mod scripts {
    use super::*;

    #[tokio::test]
    async fn the_cheapest_zone_is_taken_and_the_dear_refused() {
        let name = example("script", "cost-per-zone.rhai");
        let nodes = vec![
            node("north", &[("zone", "eu-north")]),
            node("west", &[("zone", "eu-west")]),
            node("own", &[("cost", "0.01"), ("zone", "eu-west")]),
            node("dear", &[("cost", "0.7")]),
            node("unknown", &[]),
        ];
        let mut request = Request::default();
        let said = ask_at(12, &name, &request, nodes.clone()).await.unwrap();
        assert_eq!(order(&said), ["own", "north", "west", "dear", "unknown"]);
        request.resources.nano_cpus = Resources::NANO_PER_CPU / 4;
        let said = ask_at(12, &name, &request, nodes).await.unwrap();
        assert_eq!(
            said["dear"],
            Opinion::Refused("costs 0.7 an hour".to_owned())
        );
        assert_eq!(order(&said), ["own", "north", "west", "unknown"]);
    }

    #[tokio::test]
    async fn containers_are_spread_by_day_and_packed_by_night() {
        let name = example("script", "night-consolidation.rhai");
        let mut full = node("full", &[]);
        full.used.memory_bytes = 4 * GIB;
        let nodes = vec![full, node("empty", &[])];
        for (hour, first) in [(12, "empty"), (21, "empty"), (22, "full"), (5, "full")] {
            let said = ask_at(hour, &name, &Request::default(), nodes.clone()).await;
            assert_eq!(order(&said.unwrap())[0], first, "at {hour}");
        }
    }

    #[tokio::test]
    async fn what_is_no_script_is_told_at_the_start_with_line_and_column() {
        let folder = tempfile::tempdir().unwrap();
        for (text, said) in [
            (
                "fn place(request, nodes, utc) {\n  let x = ;\n}",
                "(line 2, position 11)",
            ),
            (
                "fn place(request, nodes, utc) {\n  nods\n}",
                "Undefined variable: nods (line 2, position 3)",
            ),
            (
                "fn place(nodes) { 1 }",
                "has no function place(request, nodes, utc)",
            ),
            ("import \"x\" as x;\nfn place(a, b, c) { x::y() }", "import"),
            ("fn place(a, b, c) { eval(\"1\") }", "eval"),
        ] {
            let name = written(&folder, "script", text);
            let error = Advisors::load([name.as_str()]);
            let error = error.map(drop).map_err(|e| e.to_string());
            // What only a call shows is told then.
            let error = match error {
                Err(error) => error,
                Ok(()) => failure(&name).await,
            };
            assert!(error.contains(said), "{text}: {error}");
        }
        let error = Advisors::load(["script:/none.rhai"]).unwrap_err();
        let said =
            "plug-in script:/none.rhai cannot be read: No such file or directory (os error 2)";
        assert_eq!(error.to_string(), said);
    }

    #[tokio::test]
    async fn a_script_that_lies_fails_or_does_not_end_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let map = |entry: &str| format!("#{{ {entry} }}");
        let place = |body: &str| format!("fn place(request, nodes, utc) {{ {body} }}");
        for (body, said) in [
            (
                map("\"z:2375\": 1"),
                "names \"z:2375\", which it was not asked about",
            ),
            (
                map("\"a:2375\": 100.5"),
                "gives a:2375 100.5 points, not 0 to 100",
            ),
            (
                map("\"a:2375\": -1"),
                "gives a:2375 -1 points, not 0 to 100",
            ),
            (map("\"a:2375\": 0.0 / 0.0"), "gave a wrong answer: "),
            (
                map("\"a:2375\": true"),
                "says neither points nor a reason of a:2375",
            ),
            ("[1, 2]".to_owned(), "is no object of nodes"),
            ("throw \"no\"".to_owned(), "failed: "),
            ("nothing(1)".to_owned(), "Function not found: nothing"),
            ("loop {}".to_owned(), "Too many operations"),
            (
                "loop { try { loop {} } catch {} }".to_owned(),
                "Too many operations",
            ),
            ("place(request, nodes, utc)".to_owned(), "Stack overflow"),
            ("let s = \"x\"; loop { s += s }".to_owned(), "too large"),
            ("let a = [0]; loop { a += a }".to_owned(), "too large"),
            (
                "let m = [nodes]; loop { m.push(m) }".to_owned(),
                "too large",
            ),
            ("let a = []; loop { a = [a] }".to_owned(), "too large"),
            (
                "let a = #{}; loop { a = #{ a: a } }".to_owned(),
                "too large",
            ),
            ("sleep(60); 1".to_owned(), "a plug-in cannot wait"),
            ("sleep(60.0); 1".to_owned(), "a plug-in cannot wait"),
        ] {
            let started = Instant::now();
            let name = written(&folder, "script", &place(&body));
            let error = failure(&name).await;
            let took = started.elapsed();
            // Whether a machine is quick enough to count so far before the deadline is another question.
            let slow = error == Error::Slow.to_string();
            assert!(slow || error.contains(said), "{body}: {error}");
            assert!(took < DEADLINE * 8, "{body}: {took:?}");
        }
    }

    #[tokio::test]
    async fn a_script_whose_steps_are_long_is_over_with_its_decision() {
        let folder = tempfile::tempdir().unwrap();
        let body = "if nodes.len() > 1 { return #{} } \
            let s = \"x\"; while s.len() < 2000000 { s += s } loop { let t = s + s; }";
        let text = format!("fn place(request, nodes, utc) {{ {body} }}");
        let name = written(&folder, "script", &text);
        let advisors = Advisors::load([name.as_str()]).unwrap();
        let nodes = [Arc::new(node("a", &[])), Arc::new(node("b", &[]))];
        let names = [name.as_str()];
        let ask = |nodes| {
            let question = Question::new(&Request::default(), nodes, jiff::Timestamp::UNIX_EPOCH);
            advisors.consult(&names, question)
        };
        // As many as it has threads.
        let all = join_all((0..4).map(|_| ask(&nodes[..1]))).await;
        assert!(all.iter().all(|advice| advice.failures().count() == 1));
        let started = Instant::now();
        while ask(&nodes).await.failures().count() > 0 {
            assert!(started.elapsed() < DEADLINE * 20, "its threads still work");
        }
    }

    #[tokio::test]
    async fn endless_scripts_hold_no_worker_and_few_threads() {
        let folder = tempfile::tempdir().unwrap();
        let text = "fn place(request, nodes, utc) { loop {} }";
        let name = written(&folder, "script", text);
        let advisors = Advisors::load([name.as_str()]).unwrap();
        let nodes = [Arc::new(node("a", &[]))];
        let names = [name.as_str()];
        let ask = || {
            let question = Question::new(&Request::default(), &nodes, jiff::Timestamp::UNIX_EPOCH);
            advisors.consult(&names, question)
        };
        let started = Instant::now();
        let all = join_all((0..16).map(|_| ask()));
        // The test's runtime has one worker: it goes on while all of them run.
        let tick = async {
            let mut ticks = 0;
            while started.elapsed() < DEADLINE {
                tokio::time::sleep(Duration::from_millis(10)).await;
                ticks += 1;
            }
            ticks
        };
        let (all, ticks) = tokio::join!(all, tick);
        assert!(all.iter().all(|advice| advice.failures().count() == 1));
        assert!(ticks > 5, "{ticks}");
        assert!(started.elapsed() < DEADLINE * 8);
    }
}

#[cfg(feature = "wasm")]
mod modules {
    use super::*;

    const ALLOC: &str = "(memory (export \"memory\") 1) (func (export \"alloc\") (param i32) (result i32) i32.const 1024)";

    #[tokio::test]
    async fn gpus_are_packed_and_kept_for_who_asks() {
        let name = example("wasm", "gpu-packing.wat");
        let nodes = vec![
            node("plain", &[]),
            node("two", &[("device.gpu", "2")]),
            node("eight", &[("device.gpu", "8")]),
        ];
        let said = ask_at(12, &name, &Request::default(), nodes.clone()).await;
        let said = said.unwrap();
        assert_eq!(order(&said)[0], "plain");
        let request = Request {
            devices: vec![Demand::count("gpu", 2)],
            ..Request::default()
        };
        let said = ask_at(12, &name, &request, nodes).await.unwrap();
        assert_eq!(order(&said), ["two", "eight"]);
        assert_eq!(said["two"], Opinion::Score(Score::BEST));
        assert_eq!(said["plain"], Opinion::Refused("answered -1".to_owned()));
    }

    #[tokio::test]
    async fn a_module_answers_with_json_too() {
        let folder = tempfile::tempdir().unwrap();
        let answer = r#"{\22a:2375\22:75.5,\22b:2375\22:\22no\22}"#;
        let text = format!(
            "(module {ALLOC} (data (i32.const 16) \"{answer}\")
             (func (export \"place\") (param i32 i32) (result i64) (i64.const 0x1000000020)))"
        );
        let len = answer.replace("\\22", "\"").len() as u64;
        let text = text.replace("0x1000000020", &format!("{}", (16_u64 << 32) | len));
        let name = written(&folder, "wasm", &text);
        let nodes = vec![node("a", &[]), node("b", &[])];
        let said = ask_at(0, &name, &Request::default(), nodes).await.unwrap();
        assert_eq!(said["a"], Opinion::Score(75_500));
        assert_eq!(said["b"], Opinion::Refused("no".to_owned()));
    }

    #[tokio::test]
    async fn what_is_no_module_is_told_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        for (text, said) in [
            ("(module\n  (func $x (result i32) i32.cons 1))", ":2:"),
            ("\0asm", "unexpected end"),
            (
                "(module (import \"env\" \"open\" (func)))",
                "imports env.open",
            ),
            ("(module)", "exports no memory"),
            (
                "(module (memory (export \"memory\") 1))",
                "exports no alloc",
            ),
            ("(module (memory (export \"memory\") 1000))", "memory"),
            (
                "(module (memory (export \"memory\") 1) (func $s (loop br 0)) (start $s))",
                "fuel",
            ),
        ] {
            let name = written(&folder, "wasm", text);
            let error = Advisors::load([name.as_str()]).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn a_module_that_lies_crashes_or_does_not_end_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let place = |body: &str| {
            format!(
                "(module {ALLOC} (func $p (export \"place\") (param i32 i32) (result i64) {body}))"
            )
        };
        let score = |body: &str| {
            format!("(module {ALLOC} (func (export \"score\") (param i32 i32) {body}))")
        };
        let nan = "(f64.store (local.get 0) (f64.const nan))";
        let many = "(f64.store (local.get 0) (f64.const 101))";
        let outside = place("(i64.const 0x7fffffff00000010)");
        for (text, said) in [
            (place("unreachable"), "failed: "),
            (place("(loop br 0) (i64.const 0)"), "fuel"),
            (place("(call $p (local.get 0) (local.get 1))"), "failed: "),
            (place("(i64.const 0)"), "is no JSON"),
            (outside, "is not in its memory"),
            (score(nan), "gives a:2375 NaN points"),
            (score(many), "gives a:2375 101 points"),
            (
                score("").replace("i32.const 1024", "i32.const -8"),
                "alloc gave what is not in its memory",
            ),
        ] {
            let name = written(&folder, "wasm", &text);
            let error = failure(&name).await;
            let slow = error == Error::Slow.to_string();
            assert!(slow || error.contains(said), "{text}: {error}");
        }
    }
}

mod extenders {
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection so; `None` is silence.
    fn server(answer: Option<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            use std::io::Read as _;
            let (mut stream, _) = listener.accept().unwrap();
            let mut some = [0; 65536];
            let _ = stream.read(&mut some);
            match answer {
                Some(answer) => drop(stream.write_all(answer.as_bytes())),
                None => drop(stream.read(&mut some)),
            }
        });
        format!("http://{addr}/place")
    }

    #[tokio::test]
    async fn a_server_is_asked_and_its_failures_are_told() {
        let body = |status: &str, text: &str| -> &'static str {
            let len = text.len();
            format!("HTTP/1.1 {status}\r\ncontent-length: {len}\r\n\r\n{text}").leak()
        };
        let good = server(Some(body("200 OK", r#"{"b:2375": 50, "a:2375": "full"}"#)));
        let nodes = vec![node("a", &[]), node("b", &[])];
        let said = ask_at(0, &good, &Request::default(), nodes).await.unwrap();
        assert_eq!(said["b"], Opinion::Score(50_000));
        assert_eq!(said["a"], Opinion::Refused("full".to_owned()));
        for (answer, said) in [
            (None, "took longer than 500 ms"),
            (Some(body("500 Oops", "")), "has status 500"),
            (Some(body("200 OK", "x")), "is no JSON"),
            (Some(body("200 OK", "[]")), "is no object of nodes"),
            (Some(body("200 OK", r#"{"c": 1}"#)), "names \"c\""),
            (Some("nonsense\r\n\r\n"), "failed: "),
        ] {
            let error = failure(&server(answer)).await;
            assert!(error.contains(said), "{answer:?}: {error}");
        }
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        let nobody = failure(&format!("http://{}/", closed.unwrap())).await;
        assert!(nobody.contains("failed: Connection refused"), "{nobody}");
        for wrong in ["https://a/", "http://", "http:///x"] {
            assert!(Advisors::load([wrong]).is_err(), "{wrong}");
        }
    }
}
