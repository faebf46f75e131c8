//! Benches and traffic tools. See README.md.
