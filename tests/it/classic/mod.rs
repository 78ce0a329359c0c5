//! `--compat classic`: each point in which classic Swarm differs from what Flotilla does otherwise.
//!
//! `docs/compat-classic.md` has the same points as a table.

mod answers;
mod failures;
mod objects;
mod placement;

use crate::support::caller::Caller;
use crate::support::flotilla::Flotilla;
use crate::support::lab::{Engine, Lab, Spec, output};

/// A lab with Flotilla before it that has classic's manners.
struct Classic {
    lab: Lab,
    flotilla: Flotilla,
    caller: Caller,
}

impl Classic {
    fn start(spec: &Spec) -> Self {
        let lab = Lab::start(spec).unwrap();
        let args = ["--compat", "classic"];
        let flotilla = Flotilla::with(&lab, &args);
        let caller = Caller::new(flotilla.addr());
        Self {
            lab,
            flotilla,
            caller,
        }
    }

    /// Runs the docker CLI through Flotilla.
    fn docker(&self, args: &[&str]) -> Result<String, String> {
        let mut docker = self.flotilla.clients(&self.lab).docker();
        let printed = output(docker.args(args)).map_err(|e| e.to_string())?;
        Ok(printed.trim().to_owned())
    }

    /// Runs the docker CLI straight on one engine.
    fn on(&self, node: &str, args: &[&str]) -> Result<String, String> {
        let printed = output(self.lab.engine(node).docker().args(args));
        Ok(printed.map_err(|e| e.to_string())?.trim().to_owned())
    }

    /// Returns the nodes on which a command of the docker CLI works.
    fn nodes_where(&self, args: &[&str]) -> Vec<&str> {
        let names = self.lab.engines().iter().map(Engine::name);
        names.filter(|node| self.on(node, args).is_ok()).collect()
    }

    /// Makes calls and panics unless each has the status and the whole text that classic answers with.
    fn check(&self, calls: &[Refusal<'_>]) {
        for (method, path, body, status, text) in calls {
            let body = (!body.is_empty()).then(|| serde_json::from_str(body).unwrap());
            let answer = self.caller.call(method, path, body.as_ref());
            let told = (answer.status, answer.body.as_str());
            assert_eq!(told, (*status, *text), "{method} {path}");
        }
    }
}

/// Method, path, body (empty for none), status and text.
type Refusal<'a> = (&'a str, &'a str, &'a str, u16, &'a str);
