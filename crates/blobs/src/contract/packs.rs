//! Many small blobs under one key.

use std::sync::Arc;

use bytes::Bytes;
use model::Ambient;

use super::{MIB, Subject, content, contract, fetch};
use crate::sums::Meter;
use crate::{Area, BlobCopy, Error};

contract! {
    every_item_of_a_pack_comes_back,
    damage_in_a_pack_hits_one_item,
}

/// Packs items of `sizes` and returns the copies that lead to them.
async fn pack(subject: &Subject, sizes: &[usize]) -> Vec<(Bytes, BlobCopy)> {
    let items: Vec<_> = sizes.iter().map(|size| (*size, content(*size))).collect();
    let pack = subject.blobs.write_pack(&Ambient::system(), items).await.expect("packed");
    assert_eq!(pack.key.area(), Some(Area::Packs));
    assert_eq!(pack.length, sizes.iter().map(|size| *size as u64).sum::<u64>());
    let copies = pack.items.into_iter().map(|(size, offset)| {
        let bytes = content(size);
        let mut meter = Meter::new();
        meter.feed(&bytes);
        let sums: Arc<[u64]> = meter.end().sums.into();
        (bytes, BlobCopy { key: pack.key.clone(), offset, length: size as u64, sums })
    });
    copies.collect()
}

async fn every_item_of_a_pack_comes_back(subject: &Subject) {
    for (bytes, copy) in pack(subject, &[5, 0, 60_000, 1, MIB + 7, 65_536, 3]).await {
        assert_eq!(fetch(&subject.blobs, &copy).await.expect("good"), bytes);
        let middle = copy.length / 3..copy.length / 2;
        let mut reader = subject.blobs.open(&copy, Some(middle.clone())).await.expect("opened");
        let got = reader.next_block().await.expect("good").unwrap_or_default();
        assert_eq!(got, bytes[middle.start as usize..middle.end as usize]);
    }
}

async fn damage_in_a_pack_hits_one_item(subject: &Subject) {
    let copies = pack(subject, &[1000, 2000, 3000]).await;
    subject.damage(&copies[0].1.key, |stored| stored[1500] ^= 1);
    assert!(fetch(&subject.blobs, &copies[0].1).await.is_ok());
    assert!(matches!(fetch(&subject.blobs, &copies[1].1).await, Err(Error::Damaged { block: 0 })));
    assert!(fetch(&subject.blobs, &copies[2].1).await.is_ok());
    subject.damage(&copies[0].1.key, |stored| stored.truncate(4000));
    assert!(fetch(&subject.blobs, &copies[0].1).await.is_ok());
    assert!(matches!(fetch(&subject.blobs, &copies[2].1).await, Err(Error::Damaged { block: 0 })));
}
