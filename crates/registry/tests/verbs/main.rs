//! The verbs from outside: what callers get and see, on both engines.
#![expect(clippy::expect_used, reason = "tests")]

mod bench;

mod chunks;
mod dated;
mod deployments;
mod direct;
mod evicting;
mod explained;
mod explained_withdrawn;
mod folders;
mod following;
mod following_rules;
mod images;
mod joining;
mod lines;
mod lists;
mod logins;
mod mirrors;
mod nothing;
mod packages;
mod packaging;
mod parts;
mod patterns;
mod publishing;
mod races;
mod recovering;
mod refs;
mod remotes;
mod ruled;
mod ruled_files;
mod ruled_images;
mod statements;
mod unproven;
mod unseen;
mod uploads;
mod upstream;
mod versions;
mod waivers;
mod warm;
mod watching;
mod withdrawing;
