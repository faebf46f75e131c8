//! Conformance of ETR, Map-Server and Map-Resolver: event in, actions out, one sentence and one
//! R-number (or more) per case. Virtual time, a fixed seed, no sockets; messages made by other
//! implementations come from `tests/data/vectors`.

mod captures;
mod ddt;
mod etr_answer;
mod etr_register;
mod etr_smr;
mod holes;
mod hostile;
mod keying;
mod labs;
mod lisp_sec;
mod map_resolver;
mod map_server_notify;
mod map_server_register;
mod map_server_request;
mod messages;
mod mobility;
mod mobility_fhr;
mod nat;
mod node;
mod paths;
mod pubsub;
mod status;
mod vectors;
mod versions;
