//! Any history of a Rollout, as the journals of its attempts see it: see [`script`] for how bytes
//! become one. What must hold of a journal is in [`rules`].

mod evidence;
mod rules;
mod script;
mod world;

use world::World;

/// So many words of a script count; a longer history only takes longer.
const LONGEST: usize = 1024;

/// The target.
///
/// # Panics
/// If something does not hold that must.
pub fn run(data: &[u8]) {
    let once = journals(data);
    assert!(once == journals(data), "the same history makes the same journals");
}

fn journals(data: &[u8]) -> Vec<timeline::journal::Journal> {
    let mut world = World::new();
    for (n, (word, number)) in script::words(data).take(LONGEST).enumerate() {
        world.perform(word, number);
        // Rules are looked at less often once a history is long: they cost as much as it is long.
        if n < 64 || n % 32 == 0 {
            world.must_be_right();
        }
    }
    world.must_be_right();
    world.journals()
}
