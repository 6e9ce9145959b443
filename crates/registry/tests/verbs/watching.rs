//! What becomes of a body whose caller loses the right to it.

use std::time::Duration;

use model::Code;
use registry::{Read, TokenRequest, Write};

use crate::bench::{Bench, code, request};
use crate::both;

/// Two processes look twice a second.
const LOOK: Duration = Duration::from_secs(1);

async fn a_token_that_ended_by_itself_may_end_what_it_began_while_its_owner_may(bench: &Bench) {
    let libs = bench.repository("libs", false).await;
    let short = TokenRequest { life: Some(Duration::from_secs(600)), ..request("rita", &["repo:libs:write"]) };
    let minted = bench.admin().await.mint_token(short).await.expect("a token");
    let rita = bench.registry.call(Some(minted.secret.text()), bench.registry.ambient().id()).await.expect("a call");
    let (mut sent, mut read) = (
        rita.authorize::<Write>(&libs).await.expect("a grant").watch(),
        rita.authorize::<Read>(&libs).await.expect("a grant").watch(),
    );
    bench.clock.advance(LOOK);
    sent.expect().await.expect("nothing changed");
    let until = rita.identity().expect("known").expires_at;
    bench.clock.advance(until.since(bench.registry.ambient().now()) + LOOK);
    sent.expect().await.expect("it ended by itself");
    assert!(!read.still_allowed().await, "readers can go on where they were");
    // Something changes, and not for her.
    bench.repository("elsewhere", false).await;
    bench.somebody("sam", &["repo:elsewhere:read"]).await;
    bench.clock.advance(LOOK);
    sent.expect().await.expect("she may still write");
    rita.expect_unchanged().await.expect("nor may she do less");
    let token = rita.identity().expect("known").token;
    bench.admin().await.revoke_token(token).await.expect("revoked");
    bench.clock.advance(LOOK);
    assert_eq!(code(sent.expect().await), Code::Unauthorized);
    assert_eq!(code(rita.expect_unchanged().await), Code::Unauthorized);
}

both! {
    a_token_that_ended_by_itself_may_end_what_it_began_while_its_owner_may;
}
