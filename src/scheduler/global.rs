//! The wish for one on every node.

use super::Expr;
use super::expr::BadExpression;

/// The label that keeps the wish on the container, and on its copies.
pub const GLOBALS_LABEL: &str = "com.docker.swarm.globals";

/// A wish for a copy on each other node that could take one: `node==every`.
#[derive(Clone, Debug)]
pub struct Global {
    /// As it was written.
    pub expr: Expr,
}

impl Global {
    /// Reads the wish.
    ///
    /// # Errors
    /// It says something else: other wishes say which nodes.
    pub fn parse(text: &str) -> Result<Self, BadExpression> {
        let expr = Expr::parse(text)?;
        if expr.key != "node" {
            return Err(expr.bad_key("node is expected"));
        }
        expr.only_equal()?;
        if expr.soft {
            return Err(expr.bad_value("one on every node is never soft"));
        }
        if expr.value() != "every" {
            return Err(expr.bad_value("every is expected; constraints say which nodes"));
        }
        Ok(Self { expr })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_such_wish_is_refused_with_its_place() {
        let only = "every is expected; constraints say which nodes";
        for (text, place, why) in [
            ("zone==every", 1, "node is expected"),
            ("node!=every", 5, "== is expected"),
            ("node==~every", 8, "one on every node is never soft"),
            ("node==all", 7, only),
            ("node==every,", 7, only),
            ("node==", 7, "a value is expected"),
        ] {
            let refused = Global::parse(text).unwrap_err().to_string();
            let told = format!("invalid expression \"{text}\" at position {place}: {why}");
            assert_eq!(refused, told);
        }
        assert_eq!(
            Global::parse("node==every").unwrap().expr.text(),
            "node==every"
        );
    }
}
