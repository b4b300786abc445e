//! How large a statement may be. Planning time grows faster than a statement does, and deep ones need stack: what is too large is refused before it
//! is planned, with the place where it gets too large.

use crate::Error;
use crate::words::{Place, Word, WordKind, words};

/// In bytes. No question is that long.
const STATEMENT_BYTES_MAX: usize = 64 << 10;
/// Operators in a row, such as `a + b + c` or `x = 1 OR x = 2`: each one nests the ones before it. 500 take some 0.9 s to plan, 2,000 ten times as long.
const OPERATORS_MAX: usize = 500;
/// Brackets in brackets. The parser's own bound is lower where they hold expressions or queries.
const DEPTH_MAX: usize = 200;
/// Queries that are put together by `UNION` and the like, and tables that are joined, in all of a statement.
const QUERIES_MAX: usize = 100;

/// Clauses and commas: an expression ends before them.
const BETWEEN: &[&str] = &[
    "AS", "BY", "ELSE", "FROM", "GROUP", "HAVING", "JOIN", "LIMIT", "ON", "ORDER", "SELECT",
    "THEN", "VALUES", "WHEN", "WHERE",
];
const OPERATORS: &[&str] = &[
    "AND", "OR", "NOT", "IS", "LIKE", "ILIKE", "SIMILAR", "IN", "BETWEEN",
];
const QUERIES: &[&str] = &["UNION", "INTERSECT", "EXCEPT", "JOIN"];

/// Refuses what is too large.
pub(crate) fn check(sql: &str) -> Result<(), Error> {
    if sql.len() > STATEMENT_BYTES_MAX {
        return Err(Error::TooLong {
            bytes: sql.len(),
            bytes_max: STATEMENT_BYTES_MAX,
        });
    }
    let refuse = |word: &Word<'_>, what, most| {
        Err(Error::TooMany {
            place: Place::of(sql, word.offset),
            what,
            most,
        })
    };
    let mut open = Open(vec![0]);
    let mut queries = 0;
    for word in words(sql) {
        let is_one_of = |known: &[&str]| known.iter().any(|known| word.is_keyword(known));
        if is_one_of(QUERIES) {
            queries += 1;
            if queries > QUERIES_MAX {
                return refuse(&word, "queries and tables put together", QUERIES_MAX);
            }
        }
        match (word.kind, word.text) {
            (WordKind::Symbol, "(") => open.begin(),
            (WordKind::Symbol, ")") => open.end(),
            (WordKind::Symbol, "," | ";") => *open.operators() = 0,
            (WordKind::Symbol, "." | "]") => {}
            (WordKind::Symbol, _) => *open.operators() += 1,
            _ if word.is_keyword("CASE") => open.begin(),
            _ if word.is_keyword("END") => open.end(),
            _ if is_one_of(BETWEEN) => *open.operators() = 0,
            _ if is_one_of(OPERATORS) => *open.operators() += 1,
            _ => {}
        }
        if open.0.len() > DEPTH_MAX {
            return refuse(&word, "brackets in brackets", DEPTH_MAX);
        }
        if *open.operators() > OPERATORS_MAX {
            return refuse(&word, "operators in a row", OPERATORS_MAX);
        }
    }
    Ok(())
}

/// Of the statement and of each bracket that is open, the operators in a row. `CASE` to `END` is a bracket, too.
struct Open(Vec<usize>);

impl Open {
    fn begin(&mut self) {
        self.0.push(0);
    }

    /// One that was not begun is for the parser to refuse.
    fn end(&mut self) {
        if self.0.len() > 1 {
            self.0.pop();
        }
    }

    fn operators(&mut self) -> &mut usize {
        self.0.last_mut().expect("the first one is never taken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::named_queries;

    #[track_caller]
    fn check_refused(sql: &str, expected: Option<&str>) {
        let refused = check(sql).err().map(|error| error.to_string());
        let first = refused.as_deref().and_then(|text| text.lines().next());
        assert_eq!(first, expected);
    }

    fn many(part: &str, times: usize) -> String {
        part.repeat(times)
    }

    #[test]
    fn a_chain_of_operators_is_refused_where_it_gets_too_long() {
        let chain = |times| format!("select 1{} from t", many("+1", times));
        check_refused(&chain(500), None);
        let expected = "1:1009: expected at most 500 operators in a row, found more";
        check_refused(&chain(501), Some(expected));
        check_refused(&chain(20_000), Some(expected));
        let cases = format!("select 1{}", many("+case when a then 1 end", 501));
        assert!(check(&cases).is_err());
        let either = format!("select 1 where {}", many("x=1 or ", 251));
        assert!(check(&either).is_err());
        assert!(check(&format!("select {}1", many("- ", 501))).is_err());
        assert!(check(&format!("select 1{}", many("::int", 501))).is_err());
        assert!(check(&format!("select a{}", many("[1]", 501))).is_err());
    }

    #[test]
    fn lists_may_be_long() {
        check_refused(&format!("select x in ({}1)", many("1, ", 20_000)), None);
        check_refused(&format!("select {}1", many("a + 1, ", 5_000)), None);
    }

    #[test]
    fn brackets_and_queries_are_counted() {
        let deep = format!("select {}1{}", many("(", 200), many(")", 200));
        check_refused(
            &deep,
            Some("1:207: expected at most 200 brackets in brackets, found more"),
        );
        let wide = format!("select 1{}", many(" union all select 1", 101));
        check_refused(
            &wide,
            Some("1:1910: expected at most 100 queries and tables put together, found more"),
        );
        check_refused(")))((", None);
    }

    #[test]
    fn named_queries_are_small_enough() {
        for query in named_queries() {
            check_refused(&query.sql, None);
        }
    }
}
