//! Work on many nodes, of which only so many are busy at once.

use futures_util::{StreamExt, stream};

/// Nodes that are asked at once.
const AT_ONCE: usize = 32;

/// Does all of the work and returns what came of each, in their order.
pub(super) async fn all<W: Future>(work: impl IntoIterator<Item = W>) -> Vec<W::Output> {
    let work = work.into_iter().enumerate();
    let work = work.map(|(number, work)| async move { (number, work.await) });
    // Collected first, so that what makes the work is not held across a wait.
    let work: Vec<_> = work.collect();
    // In no order: one that hangs must not keep others from their turn.
    let done = stream::iter(work).buffer_unordered(AT_ONCE);
    let mut done: Vec<_> = done.collect().await;
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, done)| done).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn no_more_than_so_many_are_at_work() {
        let (now, most) = (Cell::new(0), Cell::new(0));
        let one = |number: usize| {
            let (now, most) = (&now, &most);
            async move {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                tokio::task::yield_now().await;
                now.set(now.get() - 1);
                number
            }
        };
        let done = all((0..100).map(one)).await;
        assert_eq!(done, (0..100).collect::<Vec<_>>());
        assert_eq!(most.get(), AT_ONCE);
    }
}
