//! Running a plug-in of this process beside the runtime: on threads of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::question::Question;
use super::{Advisor, Asked, Error};
use crate::scheduler::advice::Opinions;

/// How many decisions a plug-in works on at once.
const AT_ONCE: usize = 2;
/// Questions that wait; more wait outside until they are too late.
const WAITING: usize = 16;
/// Bytes of a thread's stack: scripts may nest values as deep as they may have elements, and whoever drops them goes down
/// as deep. What is not used is never taken.
const STACK: usize = 512 << 20;

/// Code of others that works on one question until it is done, within bounds of its own.
pub(super) trait Program: std::fmt::Debug + Send + Sync + 'static {
    /// Answers.
    fn run(&self, question: &Question) -> Result<Opinions, Error>;
}

/// A question, and where the answer goes.
#[derive(Debug)]
struct Job {
    question: Arc<Question>,
    answer: oneshot::Sender<Result<Opinions, Error>>,
}

/// A program with its threads, which end when it is dropped.
#[derive(Debug)]
pub(super) struct Sandbox {
    jobs: mpsc::Sender<Job>,
}

impl Sandbox {
    /// Starts a program's threads.
    pub(super) fn new(program: impl Program) -> Result<Self, String> {
        let (jobs, taken) = mpsc::channel(WAITING);
        let (program, taken) = (Arc::new(program), Arc::new(Mutex::new(taken)));
        for _ in 0..AT_ONCE {
            let (program, taken) = (Arc::clone(&program), Arc::clone(&taken));
            let thread = std::thread::Builder::new().name("plug-in".to_owned());
            let started = thread
                .stack_size(STACK)
                .spawn(move || work(&*program, &taken));
            started.map_err(|e| format!("cannot be given a thread: {e}"))?;
        }
        Ok(Self { jobs })
    }
}

/// Works on one question after the other.
fn work(program: &impl Program, jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let next = jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some(job) = next else {
            return;
        };
        // Nobody waits any more.
        if job.answer.is_closed() {
            continue;
        }
        let run = catch_unwind(AssertUnwindSafe(|| program.run(&job.question)));
        let answer = run.unwrap_or_else(|_| Err(Error::Crashed("panicked".to_owned())));
        // Too late is told already.
        let _ = job.answer.send(answer);
    }
}

impl Advisor for Sandbox {
    fn ask(&self, question: Arc<Question>) -> Asked<'_> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let gone = || Error::Crashed("its threads have ended".to_owned());
            let job = Job { question, answer };
            self.jobs.send(job).await.map_err(|_| gone())?;
            answered.await.unwrap_or_else(|_| Err(gone()))
        })
    }
}
