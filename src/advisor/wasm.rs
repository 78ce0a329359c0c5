//! WebAssembly modules, binary or text, that import nothing.
//!
//! A module exports its `memory`, `alloc(bytes: i32) -> i32`, and one of `place(text: i32, bytes: i32) -> i64`, which is
//! given JSON and returns where its own is (address in the upper half, length in the lower), or
//! `score(table: i32, rows: i32)`, which is given a table of numbers and writes the points into its first column.

use wasmi::{
    Config, Engine, Instance, Linker, Memory, Store, StoreLimits, StoreLimitsBuilder, TypedFunc,
};

use super::question::{COLUMNS, Question};
use super::sandbox::Program;
use super::{Error, LIMIT, answer};
use crate::scheduler::advice::Opinions;

/// Fuel for one decision: a hundred milliseconds or so.
const FUEL: u64 = match cfg!(debug_assertions) {
    false => 50_000_000,
    // As much time, without the compiler's help.
    true => 1_000_000,
};
/// Fuel for the start that is made to see whether all is there.
const FIRST_FUEL: u64 = FUEL / 10;
/// Bytes of memory.
const MEMORY: usize = 32 << 20;
/// Elements of a table of functions.
const ELEMENTS: usize = 10_000;
/// Functions in functions.
const CALLS: usize = 256;
/// Bytes of one number of the table.
const NUMBER: usize = 8;

/// A module that was checked.
#[derive(Debug)]
pub(super) struct Module {
    engine: Engine,
    module: wasmi::Module,
}

/// The module at work on one decision.
struct Run {
    store: Store<StoreLimits>,
    memory: Memory,
    instance: Instance,
}

impl Module {
    /// Reads a module and starts it once, so that what is missing is known.
    pub(super) fn load(text: &[u8]) -> Result<Self, String> {
        let mut config = Config::default();
        config.consume_fuel(true);
        config.set_max_recursion_depth(CALLS);
        let engine = Engine::new(&config);
        let module = wasmi::Module::new(&engine, text).map_err(|e| e.to_string())?;
        if let Some(import) = module.imports().next() {
            let (module, name) = (import.module(), import.name());
            return Err(format!(
                "imports {module}.{name}; there is nothing to import"
            ));
        }
        let loaded = Self { engine, module };
        let run = loaded.start(FIRST_FUEL)?;
        let alloc = run.function::<i32, i32>("alloc");
        let entry = run.function::<(i32, i32), i64>("place").map(drop);
        let entry = entry.or_else(|_| run.function::<(i32, i32), ()>("score").map(drop));
        match (alloc, entry) {
            (Ok(_), Ok(())) => Ok(loaded),
            _ => Err(
                "exports no alloc(i32) -> i32 with place(i32, i32) -> i64 or score(i32, i32)"
                    .to_owned(),
            ),
        }
    }

    /// Makes an instance of its own for one decision.
    fn start(&self, fuel: u64) -> Result<Run, String> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(MEMORY)
            .table_elements(ELEMENTS)
            .instances(1)
            .memories(1)
            .build();
        let mut store = Store::new(&self.engine, limits);
        store.limiter(|limits| limits);
        store.set_fuel(fuel).map_err(|e| e.to_string())?;
        let linker = Linker::new(&self.engine);
        let instance = linker.instantiate_and_start(&mut store, &self.module);
        let instance = instance.map_err(|e| e.to_string())?;
        let memory = instance.get_memory(&store, "memory");
        let memory = memory.ok_or("exports no memory")?;
        Ok(Run {
            store,
            memory,
            instance,
        })
    }
}

impl Run {
    fn function<A, R>(&self, name: &str) -> Result<TypedFunc<A, R>, wasmi::Error>
    where
        A: wasmi::WasmParams,
        R: wasmi::WasmResults,
    {
        self.instance.get_typed_func(&self.store, name)
    }

    /// Puts bytes into the module's memory where it wants them.
    fn put(&mut self, bytes: &[u8]) -> Result<i32, Error> {
        let alloc = self.function::<i32, i32>("alloc").map_err(crashed)?;
        let len = i32::try_from(bytes.len()).map_err(crashed)?;
        let at = alloc.call(&mut self.store, len).map_err(crashed)?;
        let start = at.cast_unsigned() as usize;
        let written = self.memory.write(&mut self.store, start, bytes);
        written.map_err(|_| Error::Wrong("alloc gave what is not in its memory".to_owned()))?;
        Ok(at)
    }

    /// Takes bytes out of it.
    fn get(&self, at: usize, len: usize) -> Result<Vec<u8>, Error> {
        let memory = self.memory.data(&self.store);
        let end = at.checked_add(len).filter(|_| len <= LIMIT);
        let bytes = end.and_then(|end| memory.get(at..end));
        let bytes = bytes.ok_or_else(|| Error::Wrong("is not in its memory".to_owned()))?;
        Ok(bytes.to_vec())
    }

    /// Asks with JSON.
    fn place(
        mut self,
        place: &TypedFunc<(i32, i32), i64>,
        question: &Question,
    ) -> Result<Opinions, Error> {
        let text = question.value.to_string();
        let at = self.put(text.as_bytes())?;
        let len = i32::try_from(text.len()).map_err(crashed)?;
        let told = place.call(&mut self.store, (at, len)).map_err(crashed)?;
        let told = told.cast_unsigned();
        let half = |bits: u64| usize::try_from(bits & 0xffff_ffff).unwrap_or(usize::MAX);
        let bytes = self.get(half(told >> 32), half(told))?;
        let told = serde_json::from_slice(&bytes);
        let told = told.map_err(|e| Error::Wrong(format!("is no JSON: {e}")))?;
        answer::read(told, question)
    }

    /// Asks with numbers.
    fn score(
        mut self,
        score: &TypedFunc<(i32, i32), ()>,
        question: &Question,
    ) -> Result<Opinions, Error> {
        let numbers = question.table.as_flattened().iter();
        let bytes: Vec<u8> = numbers.flat_map(|n| n.to_le_bytes()).collect();
        let at = self.put(&bytes)?;
        let rows = i32::try_from(question.table.len()).map_err(crashed)?;
        score.call(&mut self.store, (at, rows)).map_err(crashed)?;
        let told = self.get(at.cast_unsigned() as usize, bytes.len())?;
        let mut table = question.table.clone();
        for (row, told) in table.iter_mut().zip(told.chunks_exact(COLUMNS * NUMBER)) {
            let mut first = [0; NUMBER];
            first.copy_from_slice(&told[..NUMBER]);
            row[0] = f64::from_le_bytes(first);
        }
        answer::read_table(&table, question)
    }
}

impl Program for Module {
    fn run(&self, question: &Question) -> Result<Opinions, Error> {
        let run = self.start(FUEL).map_err(Error::Crashed)?;
        if let Ok(place) = run.function("place") {
            return run.place(&place, question);
        }
        let score = run.function("score").map_err(crashed)?;
        run.score(&score, question)
    }
}

fn crashed(error: impl std::fmt::Display) -> Error {
    Error::Crashed(error.to_string())
}
