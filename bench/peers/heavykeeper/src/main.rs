//! HeavyKeeper (crates.io `heavykeeper`, CuckooTopK) over a file of ids, one a line.
//!
//!     heavykeeper-peer IDS K WIDTH DEPTH
//!
//! Prints `{"us": …, "memoryBytes": …}` and then a line for each item: estimate, lower and upper
//! bound (none here) and id, by tabs.
use heavykeeper::CuckooTopK;
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |at: usize| args[at].parse::<usize>().unwrap();
    let text = std::fs::read_to_string(&args[1]).unwrap();
    let ids: Vec<&str> = text.lines().collect();
    let mut top: CuckooTopK<String> = CuckooTopK::with_seed(number(2), number(3), number(4), 0.9, 1);
    let started = Instant::now();
    for id in &ids {
        top.add(*id, 1);
    }
    let us = started.elapsed().as_secs_f64() * 1e6 / ids.len() as f64;
    let bytes = top.mem_bytes(|item| item.capacity());
    println!("{{\"us\": {us}, \"memoryBytes\": {bytes}, \"version\": \"0.7.2\"}}");
    for node in top.list() {
        println!("{}\t\t\t{}", node.count, node.item);
    }
}
