//! Scripts in rhai: a function `place(request, nodes, utc)` that returns a map from node IDs to points or reasons.

use std::cell::Cell;
use std::time::Instant;

use rhai::packages::{
    BasicArrayPackage, BasicMapPackage, BasicMathPackage, CorePackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, Scope};
use serde_json::Value;

use super::question::Question;
use super::sandbox::Program;
use super::{DEADLINE, Error, LIMIT, answer};
use crate::scheduler::advice::Opinions;

/// Steps of one decision, of about 50 ns each.
const STEPS: u64 = match cfg!(debug_assertions) {
    false => 5_000_000,
    // As much time, without the compiler's help.
    true => 500_000,
};
/// Elements of all arrays and maps of one value.
const ELEMENTS: usize = 100_000;
/// Bytes of all strings of one value.
const CHARACTERS: usize = LIMIT;
/// Functions in functions.
const CALLS: usize = 32;
/// Brackets in brackets.
const DEPTH: usize = 64;
/// Variables at once.
const VARIABLES: usize = 256;

/// Steps between two looks at the clock: one step may copy a string of the greatest size.
const LOOK: u64 = 64;

thread_local! {
    /// When the decision is over on which this thread works. It is here, since what looks at it is told no more than how
    /// many steps were done.
    static OVER: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A script that was read.
#[derive(Debug)]
pub(super) struct Script {
    engine: Engine,
    ast: AST,
}

impl Script {
    /// Reads a script.
    pub(super) fn load(text: &str) -> Result<Self, String> {
        let engine = engine();
        let ast = engine.compile(text).map_err(|e| e.to_string())?;
        let is_entry = |f: rhai::ScriptFnMetadata<'_>| f.name == "place" && f.params.len() == 3;
        if !ast.iter_functions().any(is_entry) {
            return Err("has no function place(request, nodes, utc)".to_owned());
        }
        Ok(Self { engine, ast })
    }
}

/// Makes what runs scripts: no files, no modules, no clock, no way to wait.
fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    for package in [
        CorePackage::new().as_shared_module(),
        LogicPackage::new().as_shared_module(),
        BasicMathPackage::new().as_shared_module(),
        BasicArrayPackage::new().as_shared_module(),
        BasicMapPackage::new().as_shared_module(),
        MoreStringPackage::new().as_shared_module(),
    ] {
        engine.register_global_module(package);
    }
    engine
        .set_strict_variables(true)
        .set_max_operations(STEPS)
        .set_max_call_levels(CALLS)
        .set_max_expr_depths(DEPTH, DEPTH)
        .set_max_variables(VARIABLES)
        .set_max_array_size(ELEMENTS)
        .set_max_map_size(ELEMENTS)
        .set_max_string_size(CHARACTERS)
        .set_max_modules(0)
        .disable_symbol("eval")
        .on_progress(|steps| (steps % LOOK == 0 && is_over()).then_some(Dynamic::UNIT));
    // Those of the core package would hold a thread.
    engine.register_fn("sleep", |_: i64| no_sleep());
    engine.register_fn("sleep", |_: f64| no_sleep());
    engine
}

fn is_over() -> bool {
    OVER.get().is_some_and(|over| over < Instant::now())
}

fn no_sleep() -> Result<(), Box<EvalAltResult>> {
    Err("a plug-in cannot wait".into())
}

impl Program for Script {
    fn run(&self, question: &Question) -> Result<Opinions, Error> {
        // Nobody waits for longer, and the thread is wanted for the next decision.
        OVER.set(Some(Instant::now() + DEADLINE));
        let crashed = |e: Box<EvalAltResult>| match *e {
            EvalAltResult::ErrorTerminated(..) => Error::Slow,
            e => Error::Crashed(e.to_string()),
        };
        let dynamic = |key: &str| rhai::serde::to_dynamic(&question.value[key]).map_err(crashed);
        let asked: [Dynamic; 3] = [dynamic("request")?, dynamic("nodes")?, dynamic("utc")?];
        // What stands outside of functions is run each time: constants.
        let options = CallFnOptions::new().eval_ast(true);
        let mut scope = Scope::new();
        let [request, nodes, utc] = asked;
        let (engine, ast) = (&self.engine, &self.ast);
        let call = engine.call_fn_with_options::<Dynamic>(
            options,
            &mut scope,
            ast,
            "place",
            (request, nodes, utc),
        );
        let told: Value = rhai::serde::from_dynamic(&call.map_err(crashed)?)
            .map_err(|e| Error::Wrong(e.to_string()))?;
        answer::read(told, question)
    }
}
