//! What the generator is told to do, a line at a time.

use std::net::Ipv4Addr;
use std::str::FromStr;

/// A line of the standard input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// `run PPS SECONDS`: sends at this rate (0: as fast as it goes), then reports.
    Run {
        /// Packets per second.
        pps: f64,
        /// For so long.
        seconds: f64,
    },
    /// `first EID COUNT`: a first packet to this EID and to those 256 addresses on, each after the one
    /// before it came back.
    First {
        /// The first one.
        eid: Ipv4Addr,
        /// How many.
        count: u32,
    },
    /// `quit`.
    Quit,
}

impl FromStr for Order {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["run", pps, seconds] => {
                let (pps, seconds): (f64, f64) = (pps.parse()?, seconds.parse()?);
                anyhow::ensure!(pps >= 0.0 && seconds > 0.0, "{line:?}: rates and times are positive");
                Ok(Self::Run { pps, seconds })
            }
            ["first", eid, count] => Ok(Self::First { eid: eid.parse()?, count: count.parse()? }),
            ["quit"] => Ok(Self::Quit),
            _ => anyhow::bail!("{line:?}: run PPS SECONDS, first EID COUNT, or quit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        assert_eq!("run 0 1.5".parse::<Order>().ok(), Some(Order::Run { pps: 0.0, seconds: 1.5 }));
        let eid = Ipv4Addr::new(10, 0, 0, 7);
        assert_eq!("first 10.0.0.7 3".parse::<Order>().ok(), Some(Order::First { eid, count: 3 }));
        assert!("run 1 0".parse::<Order>().is_err() && "walk".parse::<Order>().is_err());
    }
}
