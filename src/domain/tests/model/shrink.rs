//! From a run that goes wrong to a short one that goes wrong, too: operations are left out, in
//! large pieces first, then what is left is made simpler.

use super::op::{Body, How, Only, Op, Which};

/// The shortest run found, and how it goes wrong. `fails` runs one and tells.
pub(crate) fn shrink(ops: Vec<Op>, fails: &dyn Fn(&[Op]) -> Option<String>) -> (Vec<Op>, String) {
    let mut why = fails(&ops).unwrap_or_else(|| "it went well the second time".into());
    let mut ops = ops;
    loop {
        let before = ops.clone();
        let mut piece = ops.len().div_ceil(2).max(1);
        loop {
            let mut from = 0;
            while from < ops.len() {
                let mut fewer = ops.clone();
                fewer.drain(from..(from + piece).min(ops.len()));
                match fails(&fewer) {
                    Some(still) => (ops, why) = (fewer, still),
                    None => from += piece,
                }
            }
            if piece == 1 {
                break;
            }
            piece = piece.div_ceil(2);
        }
        for at in 0..ops.len() {
            for simpler in ops.get(at).map(simpler).unwrap_or_default() {
                let mut other = ops.clone();
                if let Some(op) = other.get_mut(at) {
                    *op = simpler;
                }
                if let Some(still) = fails(&other) {
                    (ops, why) = (other, still);
                }
            }
        }
        if ops == before {
            return (ops, why);
        }
    }
}

/// The same operation with less in it, one thing at a time.
fn simpler(op: &Op) -> Vec<Op> {
    let mut found = Vec::new();
    let mut offer = |other: Op| {
        if other != *op {
            found.push(other);
        }
    };
    match op.clone() {
        Op::Put { at, body, only, tokens } => {
            let small = Body { seed: 1, length: 1 };
            offer(Op::Put { at: at.clone(), body: small, only: Only::Any, tokens });
            offer(Op::Put { at: at.clone(), body: small, only, tokens });
            offer(Op::Put { at, body, only: Only::Any, tokens });
        }
        Op::Remove { at, tokens, .. } => offer(Op::Remove { at, only: Only::Any, tokens }),
        Op::Read { at, .. } => offer(Op::Read { at, which: Which::Latest, range: None }),
        Op::Transfer { from, to, how, tokens } => {
            let plain = How { retype: None, shallow: false, overwrite: true, ..how };
            offer(Op::Transfer { from, to, how: plain, tokens });
        }
        Op::Part { upload, .. } => {
            offer(Op::Part { upload, number: 1, body: Body { seed: 1, length: 1 } });
        }
        _ => {}
    }
    found
}
