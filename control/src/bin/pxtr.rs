//! pxtr
fn main() {}
