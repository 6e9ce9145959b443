//! Denials, uses of tokens, and reading the journal.

use model::{Scope, Subject};
use registry::{AuditFilter, AuditOrder, Auditor, Registry, TokenRequest, TokenSecret, Write, hash_secret};
use store::tokens::{Basis, HeldScope, MintToken, NewToken};

use crate::bench::Bench;
use crate::running::Running;

crate::both! {
    denials_are_counted_and_written_together;
    a_flood_of_denials_costs_a_number;
    uses_of_tokens_are_noted;
    an_export_is_complete_and_has_its_digest;
    health_says_what_is_well;
}

async fn token(bench: &Bench, scope: &str) -> String {
    let ambient = bench.registry.ambient();
    let secret = TokenSecret::make(ambient);
    let scopes = vec![HeldScope { scope: scope.parse::<Scope>().expect("a scope"), basis: Basis::Grant }];
    let token = NewToken {
        id: ambient.id(),
        hash: hash_secret(secret.text()),
        subject: Subject::parse("carol").expect("a subject"),
        new_principal: ambient.id(),
        name: String::new(),
        scopes,
        parent: None,
        expires_at: bench.now().plus(std::time::Duration::from_secs(600)),
    };
    bench.registry.store().write(MintToken { act: bench.act(bench.now()), token }).await.expect("a token");
    secret.text().to_owned()
}

async fn call(registry: &Registry, token: &str) -> registry::Call {
    registry.call(Some(token), registry.ambient().id()).await.expect("a call")
}

async fn denials_are_counted_and_written_together(bench: Bench) {
    let reader = token(&bench, "repo:libs:read").await;
    let subject = Subject::parse("carol").expect("a subject");
    let own = TokenRequest { subject, scopes: Vec::new(), life: None, name: String::new() };
    let mint = async |request| call(&bench.registry, &reader).await.mint_token(request).await;
    mint(own.clone()).await.expect("a token of their own is nothing to deny");
    let more = TokenRequest { scopes: vec!["repo:libs:admin".parse().expect("a scope")], ..own };
    mint(more).await.expect_err("a stronger one is");
    for _ in 0..3 {
        let denied = call(&bench.registry, &reader).await.authorize::<Write>(&Bench::key()).await;
        assert!(denied.is_err());
    }
    assert!(call(&bench.registry, &reader).await.authorize_tenant::<Auditor>().is_err());
    bench.registry.flush_notes().await.expect("written");
    bench.registry.flush_notes().await.expect("nothing more");
    let running = Running::start(&bench.registry);
    bench.until("the journal", async || bench.summary().await.pending_events == 0).await;
    running.stop().await;
    let denied: Vec<_> = bench
        .actions()
        .await
        .into_iter()
        .filter(|(action, _)| action == "access.denied")
        .map(|(_, detail)| detail)
        .collect();
    assert_eq!(denied.len(), 3, "{denied:?}");
    assert!(denied.iter().any(|detail| detail.contains("\"repo:libs:admin\"")), "{denied:?}");
    assert!(denied.iter().any(|detail| detail.contains("\"count\":3") && detail.contains("\"write\"")), "{denied:?}");
    assert!(denied.iter().any(|detail| detail.contains("\"count\":1")), "{denied:?}");
}

async fn a_flood_of_denials_costs_a_number(bench: Bench) {
    for number in 0..1500 {
        let (action, resource) = ("read".to_owned(), format!("repository:r{number}"));
        bench.registry.note(registry::Seen {
            word: "access.denied",
            actor: "client:192.0.2.1".to_owned(),
            action,
            resource,
            correlation: None,
        });
    }
    bench.registry.flush_notes().await.expect("written");
    let pending = bench.summary().await.pending_events;
    assert_eq!(pending, 1 + 1000, "the repository's event and a thousand different denials");
    let running = Running::start(&bench.registry);
    bench.until("the journal", async || bench.summary().await.pending_events == 0).await;
    running.stop().await;
    let others = bench.actions().await.into_iter().filter(|(_, detail)| detail.contains("\"othersUncounted\":500"));
    assert_eq!(others.count(), 1);
}

async fn uses_of_tokens_are_noted(bench: Bench) {
    let reader = token(&bench, "repo:libs:read").await;
    let used = call(&bench.registry, &reader).await;
    bench.registry.flush_uses().await.expect("written");
    let tenant = bench.registry.tenant();
    let filter = store::tokens::TokenFilter::default();
    let listed = async || {
        let look = async |s: &mut store::Session<'_>| store::tokens::list(s, tenant, &filter, 10).await;
        bench.registry.store().read(look).await.expect("tokens").remove(0).last_used_at
    };
    let first = listed().await.expect("noted");
    // Within the minute nothing is written again.
    bench.registry.note_use(used.identity().expect("known").token);
    bench.registry.flush_uses().await.expect("nothing due");
    assert_eq!(listed().await, Some(first));
}

async fn an_export_is_complete_and_has_its_digest(bench: Bench) {
    let auditor = token(&bench, "tenant:auditor").await;
    for number in 0..20 {
        bench.publish(&format!("file-{number}"), b"hello", bench.now()).await;
    }
    let running = Running::start(&bench.registry);
    bench.until("the journal", async || bench.summary().await.pending_events == 0).await;
    running.stop().await;
    let grant = call(&bench.registry, &auditor).await.authorize_tenant::<Auditor>().expect("an auditor");
    let published = AuditFilter { action: Some("package.version.published".to_owned()), ..AuditFilter::default() };
    let page = grant.audit(&published, AuditOrder::Newest, None, 5).await.expect("a page");
    assert_eq!(page.len(), 5);
    assert_eq!(page[0].repo_key.as_deref(), Some("libs"));
    let mut export = grant.export(published).await.expect("an export");
    let mut lines = Vec::new();
    while let Some(piece) = export.next().await.expect("lines") {
        lines.extend_from_slice(&piece);
    }
    use sha2::Digest;
    assert_eq!(export.digest().0, <[u8; 32]>::from(sha2::Sha256::digest(&lines)));
    assert_eq!(export.lines(), 20);
    let seqs: Vec<u64> = String::from_utf8(lines)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["seq"].as_u64().expect("a number"))
        .collect();
    assert!(seqs.is_sorted() && seqs.len() == 20);
    let summary = grant.ops_summary().await.expect("a summary");
    assert_eq!(summary.pending_outbox_events, 0);
    // Whoever may not read the journal any more gets no more of it.
    let mut export = grant.export(AuditFilter::default()).await.expect("an export");
    let own = call(&bench.registry, &auditor).await;
    own.revoke_token(own.identity().expect("known").token).await.expect("revoked");
    let refused = export.next().await.expect_err("the journal goes on");
    assert_eq!(refused.code(), Some(model::Code::Unauthorized));
}

async fn health_says_what_is_well(bench: Bench) {
    let checks = bench.registry.health().await;
    let names: Vec<_> = checks.iter().map(|check| (check.name, check.essential, check.healthy)).collect();
    assert_eq!(names, [("database", true, true), ("blob_store", true, true), ("background_work", false, true)]);
    bench.publish("a", b"late", bench.now().minus(std::time::Duration::from_secs(3600))).await;
    let work = bench.registry.check_work().await;
    assert!(!work.healthy && work.detail.contains("36"), "{work:?}");
}
