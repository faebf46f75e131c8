//! Explicit congestion notification through an encapsulation (RFC 6040; ).
//!
//! Ingress is the normal mode of section 4.1: the outer field is a copy of the inner one, which the
//! encapsulation gets by copying the whole TOS byte.

/// The two ECN bits of a TOS or Traffic Class byte.
pub const MASK: u8 = 0b11;
/// Not ECN-capable transport.
pub const NOT_ECT: u8 = 0b00;
/// ECN-capable, codepoint 1.
pub const ECT_1: u8 = 0b01;
/// ECN-capable, codepoint 0.
pub const ECT_0: u8 = 0b10;
/// Congestion experienced.
pub const CE: u8 = 0b11;

/// What comes out of a decapsulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The new inner codepoint.
    pub codepoint: u8,
    /// The combination is one that RFC 6040 wants counted: "(!)" and "(!!!)" in its figure 4.
    pub strange: bool,
    /// The packet must be dropped.
    pub drop: bool,
}

const fn plain(codepoint: u8) -> Merged {
    Merged { codepoint, strange: false, drop: false }
}

const fn strange(codepoint: u8) -> Merged {
    Merged { codepoint, strange: true, drop: false }
}

const DROP: Merged = Merged { codepoint: NOT_ECT, strange: true, drop: true };

/// Figure 4 of RFC 6040: rows by inner, columns by outer codepoint, both in numeric order
/// Not-ECT, ECT(1), ECT(0), CE.
const TABLE: [[Merged; 4]; 4] = [
    [plain(NOT_ECT), strange(NOT_ECT), strange(NOT_ECT), DROP],
    [plain(ECT_1), plain(ECT_1), strange(ECT_1), plain(CE)],
    [plain(ECT_0), plain(ECT_1), plain(ECT_0), plain(CE)],
    [plain(CE), strange(CE), plain(CE), plain(CE)],
];

/// Merges the ECN bits of an outer TOS byte into those of the inner one (RFC 6040 section 4.2).
#[inline(always)]
pub fn decapsulate(inner_tos: u8, outer_tos: u8) -> Merged {
    let [row0, row1, row2, row3] = &TABLE;
    let row = match inner_tos & MASK {
        NOT_ECT => row0,
        ECT_1 => row1,
        ECT_0 => row2,
        _ => row3,
    };
    let [not_ect, ect_1, ect_0, ce] = *row;
    match outer_tos & MASK {
        NOT_ECT => not_ect,
        ECT_1 => ect_1,
        ECT_0 => ect_0,
        _ => ce,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-111, the table of requirements.md in its own order, DSCP bits set to show that they do
    /// not matter.
    #[test]
    fn every_combination_of_rfc_6040_r111() {
        let outers = [NOT_ECT, ECT_0, ECT_1, CE];
        let rows = [
            (NOT_ECT, [plain(NOT_ECT), strange(NOT_ECT), strange(NOT_ECT), DROP]),
            (ECT_0, [plain(ECT_0), plain(ECT_0), plain(ECT_1), plain(CE)]),
            (ECT_1, [plain(ECT_1), strange(ECT_1), plain(ECT_1), plain(CE)]),
            (CE, [plain(CE), plain(CE), strange(CE), plain(CE)]),
        ];
        for (inner, expected) in rows {
            for (outer, merged) in outers.into_iter().zip(expected) {
                assert_eq!(
                    decapsulate(0xb8 | inner, 0x48 | outer),
                    merged,
                    "inner {inner:02b} outer {outer:02b}"
                );
            }
        }
    }
}
