//! Images: the cases of the distribution specification, one by one, and the real clients.

mod ahead;
mod confusion;
mod containerd;
mod content;
mod docker;
mod hostile;
mod life;
mod lists;
mod lost;
mod manifests;
mod past_programs;
pub(crate) mod programs;
mod remote;
mod remote_programs;
mod rights;
mod ruled;
mod sources;
mod together;
mod together_programs;
mod uploads;
mod upstream;
mod yard;

use acceptance::Result;
use acceptance::server::Backing;
use yard::Yard;

macro_rules! flows {
    ($($room:ident::$flow:ident;)+) => {
        $(#[tokio::test]
        async fn $flow() -> Result<()> {
            $room::$flow(&Yard::open(Backing::Embedded).await?).await
        })+

        /// All of it again on PostgreSQL and S3.
        #[tokio::test]
        async fn images_on_postgresql_and_s3() -> Result<()> {
            let yard = Yard::open(Backing::Scaled).await?;
            $(Box::pin($room::$flow(&yard)).await.map_err(|trouble| {
                acceptance::Trouble::new(format!("{}: {trouble:?}", stringify!($flow)))
            })?;)+
            Ok(())
        }
    };
}

flows! {
    uploads::a_blob_comes_at_once_or_in_chunks;
    uploads::a_chunk_out_of_order_is_refused_and_told_where_to_go_on;
    uploads::what_is_not_as_announced_is_refused_and_gone;
    uploads::an_upload_is_given_up;
    uploads::blobs_go_by_sha512_too;
    uploads::blobs_are_read_in_parts;
    uploads::a_blob_is_let_go;
    manifests::a_manifest_comes_back_byte_for_byte;
    manifests::a_manifest_needs_its_blobs_but_not_foreign_ones;
    manifests::contradictions_are_refused;
    manifests::a_digest_may_be_pushed_again_after_it_was_withdrawn;
    manifests::tags_move_and_end_unless_they_are_fixed;
    manifests::a_push_by_digest_may_name_tags;
    manifests::an_index_may_be_sparse_and_large;
    lists::tags_come_in_order_and_in_pages;
    lists::referrers_are_listed_filtered_and_withdrawn;
    lists::referrers_come_in_pages;
    lists::the_catalogue_shows_what_the_caller_may_read;
    lost::who_asks_for_lost_bytes_is_told_to_push_them;
    rights::who_asks_is_told_where_tokens_are;
    rights::a_token_can_do_no_more_than_its_caller;
    rights::a_public_repository_is_read_by_anybody;
    rights::bytes_are_mounted_only_by_those_who_may_read_them;
    rights::hostile_addresses_open_nothing;
    content::an_image_comes_and_goes;
    content::an_image_of_plain_layers_comes_and_goes;
    content::an_index_comes_and_goes;
    content::an_index_of_indexes_comes_and_goes;
    content::an_index_of_nothing_comes_and_goes;
    content::an_index_of_layers_comes_and_goes;
    content::an_image_without_layers_comes_and_goes;
    content::an_artifact_comes_and_goes;
    content::an_artifact_without_content_comes_and_goes;
    content::an_index_of_artifacts_comes_and_goes;
    content::artifacts_belong_to_an_image;
    content::an_index_belongs_to_an_image;
    content::what_belongs_to_something_missing_comes_first;
    content::content_inside_descriptors_is_kept;
    content::layers_that_may_not_be_distributed_may_be_missing;
    content::fields_that_nobody_knows_are_kept;
    content::a_manifest_of_four_megabytes_comes_and_goes;
    content::everything_goes_by_sha512_too;
    content::a_push_by_sha256_names_tags;
    content::a_push_by_sha512_names_tags;
    content::an_image_may_be_sparse_where_the_repository_says_so;
    content::a_foreign_layer_that_comes_later_stays;
    content::an_image_with_a_wrong_digest_does_not_come;
    hostile::digests_have_one_spelling;
    hostile::two_digests_are_none;
    hostile::a_digest_is_that_of_the_bytes_as_sent;
    hostile::json_that_readers_could_differ_on_is_refused;
    hostile::a_manifest_is_one_thing_under_one_type;
    hostile::sizes_are_not_believed;
    hostile::a_manifest_refers_to_so_much_and_no_more;
    hostile::a_tower_of_indexes_is_only_bytes;
    hostile::ranges_of_chunks_may_not_lie;
    hostile::a_body_that_breaks_off_leaves_nothing;
    hostile::names_that_are_none_are_refused;
    hostile::what_is_hidden_looks_like_what_is_absent;
    hostile::a_subject_elsewhere_is_not_touched;
}
