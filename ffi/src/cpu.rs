//! Is this CPU one that the binary was built for?
//!
//! `.cargo/config.toml` builds for x86-64-v3. An older CPU would end the daemon with SIGILL somewhere
//! in the packet path; this check comes first and says what to do instead.

use crate::bindings as c;

/// Says what to do when this CPU is older than the one that the binary was built for.
///
/// # Errors
/// The text for the operator.
pub fn check() -> Result<(), &'static str> {
    // SAFETY: asks the CPU; may be called at any time.
    judge(cfg!(target_feature = "avx2"), unsafe { c::pxtr_cpu_is_x86_64_v3() } != 0)
}

fn judge(built_for_v3: bool, is_v3: bool) -> Result<(), &'static str> {
    if is_v3 || !built_for_v3 {
        return Ok(());
    }
    Err(
        "this binary was built for x86-64-v3 (AVX2, BMI2, FMA), which this CPU or virtual machine does not offer; \
         give the virtual machine its host's CPU model, or build with \
         RUSTFLAGS=\"-C target-cpu=x86-64-v2\" cargo build --release",
    )
}

#[cfg(test)]
mod tests {
    use super::{check, judge};

    #[test]
    fn this_machine_can_run_its_own_build() {
        assert_eq!(check(), Ok(()));
    }

    #[test]
    fn only_a_build_for_v3_on_an_older_cpu_is_refused() {
        assert!(judge(true, false).unwrap_err().contains("target-cpu=x86-64-v2"));
        assert_eq!([judge(true, true), judge(false, true), judge(false, false)], [Ok(()); 3]);
    }
}
