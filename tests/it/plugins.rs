//! Plugins over nodes: installed, enabled, disabled, upgraded and removed on all of them by one command.

use serde_json::Value;

use crate::support::flotilla::Flotilla;
use crate::support::lab::{Engine, Lab, Spec, output};
use crate::support::plugin;

/// Returns what an engine says of a plugin; `null` when it has none of this name.
fn on(engine: &Engine, name: &str) -> Value {
    let plugins = engine.ask("/plugins").unwrap();
    let mut plugins = plugins.as_array().cloned().unwrap_or_default().into_iter();
    plugins.find(|p| p["Name"] == name).unwrap_or_default()
}

#[test]
fn a_plugin_is_managed_on_all_nodes_at_once() {
    let lab = Lab::start(&Spec::mixed().registry()).unwrap();
    let flotilla = Flotilla::before(&lab);
    let registry = lab.registry().unwrap();
    let remote = |tag: u8| format!("{registry}/lab/plugin:{tag}");
    for tag in [1, 2] {
        plugin::push(lab.engine("node1"), &remote(tag), &format!("number {tag}"));
    }
    let docker = |args: &[&str]| {
        let mut docker = flotilla.clients(&lab).docker();
        output(docker.arg("plugin").args(args)).map_err(|e| e.to_string())
    };
    let name = "lab/plugin:latest";
    let everywhere = |told: fn(&Value) -> Value, wanted: Value| {
        for engine in lab.engines() {
            let found = told(&on(engine, name));
            assert_eq!(found, wanted, "{}", engine.name());
        }
    };
    let enabled = |p: &Value| p["Enabled"].clone();
    let says = |p: &Value| p["Config"]["Description"].clone();
    let listed = || docker(&["ls", "--format", "{{.Name}} {{.Enabled}}"]).unwrap();

    let install = ["install", "--grant-all-permissions", "--alias", name];
    docker(&[&install[..], &[&remote(1), "DEBUG=1"]].concat()).unwrap();
    everywhere(enabled, true.into());
    everywhere(says, "number 1".into());
    let debug = |p: &Value| p["Settings"]["Env"][0].clone();
    everywhere(debug, "DEBUG=1".into());
    assert_eq!(listed(), format!("{name} true"));
    let error = docker(&["enable", name]).unwrap_err();
    assert!(error.contains("already enabled"), "{error}");

    docker(&["disable", name]).unwrap();
    everywhere(enabled, false.into());
    assert_eq!(listed(), format!("{name} false"));
    let upgrade = ["upgrade", "--grant-all-permissions", "--skip-remote-check"];
    docker(&[&upgrade[..], &[name, &remote(2)]].concat()).unwrap();
    everywhere(says, "number 2".into());
    docker(&["set", name, "DEBUG=2"]).unwrap();
    everywhere(debug, "DEBUG=2".into());
    docker(&["enable", name]).unwrap();
    everywhere(enabled, true.into());
    let inspected = docker(&["inspect", "-f", "{{.Config.Description}}", name]).unwrap();
    assert_eq!(inspected, "number 2");
    docker(&["rm", "--force", name]).unwrap();
    everywhere(Value::clone, Value::Null);
    assert_eq!(listed(), "");
}
