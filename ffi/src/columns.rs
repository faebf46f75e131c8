//! Rows into columns: the same bytes of eight packets, word by word side by side.
//!
//! Not DPDK's, but the CPU's: a compiler makes scalar moves of it, four or eight times as many writes.

/// Packets at a time, and words of each.
pub const GROUP: usize = 8;

/// Bytes of a row.
pub const ROW: usize = GROUP * 4;

/// Puts word `w` of row `r`, as it lies in memory, read as little-endian, into `columns[w][first + r]`. Where the
/// columns have no eight places from `first` on nothing happens.
#[inline(always)]
pub fn columns<const N: usize>(rows: &[&[u8; ROW]; GROUP], columns: &mut [[u32; N]; GROUP], first: usize) {
    if N < GROUP || first > N - GROUP {
        return;
    }
    let words = turn(rows);
    for (column, words) in columns.iter_mut().zip(words) {
        column[first..first + GROUP].copy_from_slice(&words);
    }
}

#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
#[inline(always)]
fn turn(rows: &[&[u8; ROW]; GROUP]) -> [[u32; GROUP]; GROUP] {
    use core::arch::x86_64::*;
    let [a, b, c, d, e, f, g, h] = *rows;
    // Rows 4 apart in the two halves of a register: what follows stays within halves.
    let pair = |low: &[u8; ROW], high: &[u8; ROW], at: usize| {
        let (low, high) = (low.as_ptr().wrapping_add(at), high.as_ptr().wrapping_add(at));
        // SAFETY: `at` is 0 or 16, so both are 16 bytes inside a row; the loads need no alignment, and the build is
        // for CPUs with AVX2.
        unsafe {
            let low = _mm256_castsi128_si256(_mm_loadu_si128(low.cast()));
            _mm256_inserti128_si256::<1>(low, _mm_loadu_si128(high.cast()))
        }
    };
    let half = |at: usize| {
        let (a, b, c, d) = (pair(a, e, at), pair(b, f, at), pair(c, g, at), pair(d, h, at));
        // SAFETY: the build is for CPUs with AVX2; eight words and 32 bytes are the same.
        unsafe {
            let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
            let (ef, gh) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
            [
                _mm256_unpacklo_epi64(ab, cd),
                _mm256_unpackhi_epi64(ab, cd),
                _mm256_unpacklo_epi64(ef, gh),
                _mm256_unpackhi_epi64(ef, gh),
            ]
            .map(|words| core::mem::transmute::<__m256i, [u32; GROUP]>(words))
        }
    };
    let ([a, b, c, d], [e, f, g, h]) = (half(0), half(16));
    [a, b, c, d, e, f, g, h]
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
fn turn(rows: &[&[u8; ROW]; GROUP]) -> [[u32; GROUP]; GROUP] {
    plainly(rows)
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "avx2"))))]
fn plainly(rows: &[&[u8; ROW]; GROUP]) -> [[u32; GROUP]; GROUP] {
    let mut words = [[0; GROUP]; GROUP];
    for (at, row) in rows.iter().enumerate() {
        for (column, word) in words.iter_mut().zip(row.as_chunks().0) {
            column[at] = u32::from_le_bytes(*word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        let mut bytes = [[0; ROW]; GROUP];
        for (at, byte) in bytes.as_flattened_mut().iter_mut().enumerate() {
            *byte = (at * 7 + at / 31) as u8;
        }
        let rows = bytes.each_ref();
        let mut into = [[1; 20]; GROUP];
        columns(&rows, &mut into, 9);
        for (word, column) in into.iter().enumerate() {
            for (at, row) in rows.iter().enumerate() {
                let [a, b, c, d] = [0, 1, 2, 3].map(|byte| row[word * 4 + byte]);
                assert_eq!(column[9 + at], u32::from_le_bytes([a, b, c, d]));
            }
            assert_eq!((column[8], column[17]), (1, 1));
            assert_eq!(turn(&rows)[word], plainly(&rows)[word]);
        }
        let before = into;
        columns(&rows, &mut into, 13);
        columns(&rows, &mut into, usize::MAX);
        assert_eq!(into, before);
    }
}
