//! The layout of `struct rte_mbuf`, as seen by clang (bindings) and by the C compiler (shim).

use crate::bindings as c;
use crate::error::Error;

/// Name and value of each, in the order of `pxtr_layout()`.
const FIELDS: [(&str, u32); c::PXTR_MBUF_LAYOUT_WORDS as usize] = [
    ("size", c::PXTR_MBUF_SIZE),
    ("buf_addr", c::PXTR_MBUF_BUF_ADDR),
    ("data_off", c::PXTR_MBUF_DATA_OFF),
    ("refcnt", c::PXTR_MBUF_REFCNT),
    ("nb_segs", c::PXTR_MBUF_NB_SEGS),
    ("port", c::PXTR_MBUF_PORT),
    ("ol_flags", c::PXTR_MBUF_OL_FLAGS),
    ("pkt_len", c::PXTR_MBUF_PKT_LEN),
    ("data_len", c::PXTR_MBUF_DATA_LEN),
    ("buf_len", c::PXTR_MBUF_BUF_LEN),
    ("tx_offload", c::PXTR_MBUF_TX_OFFLOAD),
];

/// Compares both. A difference means shim and bindings were built against different headers.
pub(crate) fn check() -> Result<(), Error> {
    let mut shim = [0u32; FIELDS.len()];
    // SAFETY: pxtr_layout writes PXTR_MBUF_LAYOUT_WORDS words, the length of `shim`.
    unsafe { c::pxtr_layout(shim.as_mut_ptr()) };
    for ((field, bindings), shim) in FIELDS.into_iter().zip(shim) {
        if bindings != shim {
            return Err(Error::Layout { field, shim, bindings });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn offsets_agree_between_both_compilers() {
        super::check().expect("shim and bindings agree");
    }
}
