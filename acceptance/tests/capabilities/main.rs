//! What the program can do, and what it refuses, as seen from outside: the real binary, over sockets.

mod browsing;
mod client_config;
mod described;
mod doors;
mod engines;
mod files;
mod identity;
mod input;
mod moments;
mod names;
mod operations;
mod pages;
mod remotes;
mod shape;
mod site;
mod unknown_members;
mod virtual_lists;
mod virtual_members;
mod virtual_replicas;
mod virtual_rights;
mod virtuals;
mod walk;
mod wares;
