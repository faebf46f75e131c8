//! pxtrd
fn main() {}
