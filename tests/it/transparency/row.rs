//! One row of the table: a call, the status it must have, and how far its two answers may differ.

/// How an answer through Flotilla compares with the engine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Same {
    /// The same text, but for what is each call's own: IDs, times, addresses.
    Text,
    /// The same JSON once what Flotilla adds is taken away; it must add something.
    Adds,
    /// JSON with the same keys and types: values that move by themselves.
    Shape,
    /// The same last line, as [`Same::Text`]: progress before it depends on the moment.
    Last,
    /// Status and headers; what the body says is Flotilla's own or no text.
    Head,
    /// The status alone: the answer is written here (progress of many nodes, refusals of raw streams).
    Status,
}

/// One call. `@` stands for the side's own prefix of names, `{exec}` for the ID that the last `keep` row gave, `{began}`
/// and `{now}` for the times when the side began and when the row is called, `{index}` for the version of what was read
/// last; tables have words of their own too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The status that both must give; two when releases differ, that of 28.5 first.
    pub(super) status: &'static [u16],
    /// The method.
    pub(super) method: &'static str,
    /// The path with its query, without a version.
    pub(super) path: &'static str,
    /// More headers.
    pub(super) headers: &'static [&'static str],
    /// The body.
    pub(super) body: &'static [u8],
    /// How the answers compare.
    pub(super) same: Same,
    /// Whether the answer's `Id` is `{exec}` from now on.
    pub(super) keep: bool,
    /// The first API version in which the row holds.
    pub(super) since: u16,
    /// Whether Flotilla answers by itself, as 28.5 does, where 20.10 has other words; before that its answer alone is
    /// looked at.
    pub(super) modern: bool,
    /// How the answers compare before several engines, where that is otherwise, and why.
    pub(super) many: Option<(Same, &'static str)>,
}

impl Row {
    /// Makes a row without body that compares the text.
    pub(super) const fn of(
        status: &'static [u16],
        method: &'static str,
        path: &'static str,
    ) -> Self {
        Self {
            status,
            method,
            path,
            headers: &[],
            body: b"",
            same: Same::Text,
            keep: false,
            since: 24,
            modern: false,
            many: None,
        }
    }

    /// Adds a JSON body.
    pub(super) const fn json(self, body: &'static str) -> Self {
        self.with(&["Content-Type: application/json"])
            .bytes(body.as_bytes())
    }

    /// Adds a body.
    pub(super) const fn bytes(mut self, body: &'static [u8]) -> Self {
        self.body = body;
        self
    }

    /// Adds headers.
    pub(super) const fn with(mut self, headers: &'static [&'static str]) -> Self {
        self.headers = headers;
        self
    }

    /// Says how the answers compare.
    pub(super) const fn same(mut self, same: Same) -> Self {
        self.same = same;
        self
    }

    /// Keeps the answer's ID for the rows after it.
    pub(super) const fn keep(mut self) -> Self {
        self.keep = true;
        self
    }

    /// Says that only 28.5 has the answer that Flotilla gives.
    pub(super) const fn modern(mut self) -> Self {
        self.modern = true;
        self
    }

    /// Says how the answers compare before several engines, and why they cannot be as alike as before one.
    pub(super) const fn many(mut self, same: Same, why: &'static str) -> Self {
        self.many = Some((same, why));
        self
    }

    /// Returns how the answers compare before this many engines.
    pub(super) fn same_before(&self, engines: usize) -> Same {
        match self.many {
            Some((same, _)) if engines > 1 => same,
            _ => self.same,
        }
    }

    /// Says from which API version on the row holds.
    pub(super) const fn since(mut self, minor: u16) -> Self {
        self.since = minor;
        self
    }
}
