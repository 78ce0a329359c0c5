//! Containers whose inspect is late: an engine answers it only when it is done with the container, be that a start whose
//! volume is slow to mount or the clean-up after an end. Nothing else on the engine has to wait for that.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::fetch::LateInspect;

/// The inspects that are late. Their answers are not used, since the list before them is old by then: they tell when a
/// container can be read again.
#[derive(Default)]
pub(crate) struct Late {
    ids: HashSet<Arc<str>>,
    asked: FuturesUnordered<BoxFuture<'static, (Arc<str>, bool)>>,
}

impl Late {
    /// Takes what comes of another try to read these containers: those of `late` are waited for, the others no longer.
    pub(crate) fn take(&mut self, tried: &[Arc<str>], late: Vec<LateInspect>) {
        for id in tried {
            if late.iter().all(|other| other.id != *id) {
                self.ids.remove(id);
            }
        }
        for LateInspect { id, asked, .. } in late {
            // Of several questions the first answer will do.
            if self.ids.insert(Arc::clone(&id)) {
                let answered = async move { (id, asked.await.is_ok()) };
                self.asked.push(Box::pin(answered));
            }
        }
    }

    /// Tells whether the inspect of a container is waited for.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Returns the next container that can be read again, and whether its inspect was answered at all.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn next(&mut self) -> (Arc<str>, bool) {
        while let Some((id, answered)) = self.asked.next().await {
            if self.ids.remove(&id) {
                return (id, answered);
            }
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;
    use crate::engine::Error;
    use crate::engine::fetch::Asked;

    fn inspect(id: &str, asked: Asked) -> LateInspect {
        LateInspect {
            id: id.into(),
            entry: String::new(),
            asked,
        }
    }

    #[tokio::test]
    async fn a_container_is_read_again_once_its_inspect_has_ended() {
        let mut late = Late::default();
        let (tell, told) = oneshot::channel();
        let answered = async move {
            told.await.unwrap();
            Ok(Bytes::new())
        };
        let given_up = std::future::ready(Err(Error::Timeout {
            node: "n:2375".into(),
            after: Duration::from_secs(6),
        }));
        let asked = [
            inspect("a", answered.boxed()),
            inspect("b", given_up.boxed()),
        ];
        late.take(&[], asked.into());
        assert!(late.has("a") && late.has("b"));
        assert_eq!(late.next().await, ("b".into(), false));
        assert!(late.next().now_or_never().is_none());
        tell.send(()).unwrap();
        assert_eq!(late.next().await, ("a".into(), true));
        assert!(!late.has("a") && !late.has("b"));
    }

    #[tokio::test]
    async fn a_container_that_was_read_meanwhile_is_not_read_again() {
        let mut late = Late::default();
        let asked = |id| inspect(id, std::future::ready(Ok(Bytes::new())).boxed());
        late.take(&[], vec![asked("a"), asked("b")]);
        late.take(&["a".into(), "b".into()], vec![asked("b")]);
        assert!(!late.has("a") && late.has("b"));
        assert_eq!(late.next().await, ("b".into(), true));
        assert!(late.next().now_or_never().is_none());
    }
}
