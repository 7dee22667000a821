//! The values at which a [`Sum`] may end, so that none of the amounts combined in it leaves the range on the way.

use std::ops::RangeInclusive;

use super::change::Sum;
use crate::domain::LIMIT;

/// The new values that are allowed; `None` if no value is allowed. Bounds lie within ±[`LIMIT`], which every store and its
/// scripting language compares exactly, while running totals of a combination may not.
pub(super) fn of(sum: &Sum) -> Option<RangeInclusive<i64>> {
    // If the running total never drops below its start, the lower limit needs no check; the same goes for the upper limit.
    let below = if sum.lowest < 0 { sum.total.checked_sub(sum.lowest)?.max(0) } else { 0 };
    let above = if sum.highest > 0 { sum.highest.checked_sub(sum.total)?.max(0) } else { 0 };
    let least = below.checked_sub(LIMIT)?;
    let greatest = LIMIT.checked_sub(above)?;
    // A greater step crosses the whole range, so no value allows it.
    let crosses = sum.total.unsigned_abs() > 2 * LIMIT.unsigned_abs();
    (least <= greatest && !crosses).then_some(least..=greatest)
}

/// Whether the bounds are the whole range.
pub(super) fn are_trivial(bounds: &RangeInclusive<i64>) -> bool {
    *bounds == (-LIMIT..=LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn combination(amounts: &[i64]) -> Sum {
        let totals = amounts.iter().scan(0, |total, amount| {
            *total += amount;
            Some(*total)
        });
        let totals: Vec<i64> = totals.collect();
        Sum {
            total: *totals.last().expect("an amount"),
            lowest: *totals.iter().min().expect("an amount"),
            highest: *totals.iter().max().expect("an amount"),
            changes: amounts.len() as u32,
        }
    }

    #[test]
    fn amounts_of_one_sign_need_no_bounds_of_their_own() {
        for amounts in [&[5][..], &[1, 1, 1], &[-2, -3], &[LIMIT, LIMIT]] {
            assert!(are_trivial(&of(&combination(amounts)).expect("bounds")), "{amounts:?}");
        }
    }

    #[test]
    fn amounts_that_no_value_allows_have_no_bounds() {
        let mut wild = combination(&[1]);
        for (sum, lowest, highest) in [
            (i64::MAX, i64::MAX, i64::MAX),
            (i64::MIN, i64::MIN, i64::MIN),
            (0, i64::MIN, i64::MAX),
            (0, -LIMIT - 1, LIMIT),
        ] {
            (wild.total, wild.lowest, wild.highest) = (sum, lowest, highest);
            assert_eq!(of(&wild), None, "{sum} {lowest} {highest}");
        }
    }

    proptest! {
        #[test]
        fn bounds_allow_exactly_what_each_amount_alone_would(
            start in -LIMIT..=LIMIT,
            amounts in proptest::collection::vec(-LIMIT..=LIMIT, 1..6),
        ) {
            let sum = combination(&amounts);
            let alone = amounts.iter().try_fold(start, |value, amount| {
                Some(value + amount).filter(|value| (-LIMIT..=LIMIT).contains(value))
            });
            let together = of(&sum).is_some_and(|bounds| bounds.contains(&(start + sum.total)));
            prop_assert_eq!(together, alone.is_some());
        }
    }
}
