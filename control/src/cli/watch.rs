//! `trace add` and `capture`: packets as they go by, in words or in a file.

use super::args::{CaptureArgs, TraceArgs};
use super::exit::{FAILED, json_line, stream, wrong_usage};
use super::packet_filter::watch_query;
use super::pcapng::CaptureFile;
use super::render;
use crate::api::{Reply, Request, WatchQuery};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

/// Follows packets, and says what was decided about them.
pub(super) fn trace(args: &TraceArgs, json: bool, path: &Path) -> ExitCode {
    let query = match watch_query(&args.filters) {
        Ok(query) => WatchQuery { count: Some(args.count), ..query },
        Err(why) => return wrong_usage(&why),
    };
    run(query, path, |reply| {
        let text = match reply {
            reply if json => json_line(reply),
            Reply::Packet(packet) => render::packet(&packet),
            Reply::WatchDone(done) => render::watch_done(done),
            _ => String::new(),
        };
        io::stdout().lock().write_all(text.as_bytes())
    })
}

/// Writes packets to a file.
pub(super) fn capture(args: &CaptureArgs, path: &Path) -> ExitCode {
    let query = match watch_query(&args.filters) {
        Ok(query) => WatchQuery { count: args.count, snap: Some(args.snap), ..query },
        Err(why) => return wrong_usage(&why),
    };
    let out: io::Result<Box<dyn Write>> = match args.write.as_os_str() {
        name if name == "-" => Ok(Box::new(io::stdout())),
        _ => File::create(&args.write).map(|file| Box::new(BufWriter::new(file)) as Box<dyn Write>),
    };
    let mut file = match out.and_then(CaptureFile::new) {
        Ok(file) => file,
        Err(error) => {
            eprintln!("pxtr: can not write {}: {error}", args.write.display());
            return ExitCode::from(FAILED);
        }
    };
    run(query, path, |reply| match reply {
        Reply::Packet(packet) => file.packet(&packet),
        Reply::WatchDone(done) => {
            eprint!("{}", render::watch_done(done));
            Ok(())
        }
        _ => Ok(()),
    })
}

/// Asks the daemon, and hands on what it sends until it says that this was all.
fn run(query: WatchQuery, path: &Path, mut each: impl FnMut(Reply) -> io::Result<()>) -> ExitCode {
    stream(&Request::WatchPackets(query), path, "watching", |reply| {
        let last = matches!(reply, Reply::WatchDone(_));
        each(reply)?;
        Ok(!last)
    })
}
