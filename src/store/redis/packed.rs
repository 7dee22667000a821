//! Decodes the answers of the scripts that add: MessagePack, as Redis's `cmsgpack` writes it.
//!
//! Nearly all items of these answers are numbers. Here a number takes a tenth of the instructions that it takes as an item of a list of
//! Redis's protocol, and Redis is a little faster, too.

use redis::Value;
use rmp::Marker;
use rmp::decode::{Bytes, read_array_len, read_int, read_marker};

/// The items of an answer, as if Redis had answered a list: whole numbers, `false` as nil, and lists of numbers. `None` for anything else, also
/// for bytes behind the answer.
pub(super) fn items(packed: &[u8]) -> Option<Vec<Value>> {
    let mut bytes = Bytes::new(packed);
    let items = list(&mut bytes, item)?;
    bytes.remaining_slice().is_empty().then_some(items)
}

fn list(bytes: &mut Bytes<'_>, read: fn(&mut Bytes<'_>) -> Option<Value>) -> Option<Vec<Value>> {
    let len = read_array_len(bytes).ok()? as usize;
    // Each item has a byte at least, so an answer that claims more items than it has takes no more memory than it is long.
    let mut items = Vec::with_capacity(len.min(bytes.remaining_slice().len()));
    for _ in 0..len {
        items.push(read(bytes)?);
    }
    Some(items)
}

fn item(bytes: &mut Bytes<'_>) -> Option<Value> {
    match Marker::from_u8(*bytes.remaining_slice().first()?) {
        Marker::False => read_marker(bytes).ok().map(|_| Value::Nil),
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => list(bytes, number).map(Value::Array),
        _ => number(bytes),
    }
}

fn number(bytes: &mut Bytes<'_>) -> Option<Value> {
    read_int(bytes).ok().map(Value::Int)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_those_of_a_list() {
        // `redis-cli --no-raw EVAL "return cmsgpack.pack({1, -1, 300, 2^53 - 1, 1 - 2^53, false, {7, 1, 1}, {}})" 0`
        let packed = b"\x98\x01\xff\xcd\x01\x2c\xcf\x00\x1f\xff\xff\xff\xff\xff\xff\xd3\xff\xe0\x00\x00\x00\x00\x00\x01\xc2\x93\x07\x01\x01\x90";
        let int = Value::Int;
        let nested = Value::Array(vec![int(7), int(1), int(1)]);
        let limit = (1 << 53) - 1;
        let expected = vec![
            int(1),
            int(-1),
            int(300),
            int(limit),
            int(-limit),
            Value::Nil,
            nested,
            Value::Array(vec![]),
        ];
        assert_eq!(items(packed).expect("items"), expected);
    }

    #[test]
    fn an_answer_that_is_cut_or_of_another_kind_has_no_items() {
        let packed = b"\x93\x01\xcd\x01\x2c\x91\x05";
        assert!(items(packed).is_some());
        for len in 0..packed.len() {
            assert!(items(&packed[..len]).is_none(), "{len} bytes");
        }
        // More bytes, a text, a number that is not whole, a list in a list in a list, and a list that is longer than its bytes.
        for bytes in [
            &b"\x91\x01\x01"[..],
            b"\x91\xa1a",
            b"\x91\xcb\x3f\xe0\0\0\0\0\0\0",
            b"\x91\x91\x91\x01",
            b"\xdd\xff\xff\xff\xff\x01",
        ] {
            assert!(items(bytes).is_none(), "{bytes:?}");
        }
    }
}
