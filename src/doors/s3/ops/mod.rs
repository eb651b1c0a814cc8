//! The operations of S3 on verbs of the domain. This page is the table of contents: each
//! operation takes its request apart, calls a verb, and turns the value into the answer. Nothing
//! here decides what a caller may do, and no operation runs without the caller that the outer
//! layer recognised.

mod attributes;
mod buckets;
mod checksums;
mod copy;
mod delete;
mod listing;
mod multipart;
mod objects;
mod page;
mod parts;
mod read;
mod shown;
#[cfg(test)]
mod tests;
mod versioning;

use std::sync::Arc;

use async_trait::async_trait;
use s3s::{S3, S3Request, S3Response, S3Result, dto::*};

use crate::domain::Holdall;

/// The operations.
pub(crate) struct Ops {
    holdall: Arc<Holdall>,
    region: String,
}

impl Ops {
    /// Operations on this system, which says it is in `region`.
    pub(crate) fn new(holdall: Arc<Holdall>, region: String) -> Self {
        Self { holdall, region }
    }
}

/// What an operation gives back.
type Answer<T> = S3Result<S3Response<T>>;

/// An answer without anything beside the operation's own output.
fn answer<T>(output: T) -> Answer<T> {
    Ok(S3Response::new(output))
}

macro_rules! operations {
    ($($name:ident: $input:ident -> $output:ident = $function:path;)*) => {
        #[async_trait]
        impl S3 for Ops {
            $(async fn $name(&self, request: S3Request<$input>) -> Answer<$output> {
                $function(self, request).await
            })*
        }
    };
}

operations! {
    list_buckets: ListBucketsInput -> ListBucketsOutput = buckets::list;
    create_bucket: CreateBucketInput -> CreateBucketOutput = buckets::create;
    head_bucket: HeadBucketInput -> HeadBucketOutput = buckets::head;
    delete_bucket: DeleteBucketInput -> DeleteBucketOutput = buckets::delete;
    get_bucket_location: GetBucketLocationInput -> GetBucketLocationOutput = buckets::location;
    get_bucket_versioning: GetBucketVersioningInput -> GetBucketVersioningOutput = versioning::get;
    put_bucket_versioning: PutBucketVersioningInput -> PutBucketVersioningOutput = versioning::put;
    list_objects: ListObjectsInput -> ListObjectsOutput = listing::v1;
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output = listing::v2;
    list_object_versions: ListObjectVersionsInput -> ListObjectVersionsOutput = versioning::list;
    put_object: PutObjectInput -> PutObjectOutput = objects::put;
    get_object: GetObjectInput -> GetObjectOutput = read::get;
    head_object: HeadObjectInput -> HeadObjectOutput = read::head;
    get_object_attributes: GetObjectAttributesInput -> GetObjectAttributesOutput = objects::attributes;
    copy_object: CopyObjectInput -> CopyObjectOutput = copy::object;
    delete_object: DeleteObjectInput -> DeleteObjectOutput = delete::one;
    delete_objects: DeleteObjectsInput -> DeleteObjectsOutput = delete::many;
    create_multipart_upload: CreateMultipartUploadInput -> CreateMultipartUploadOutput = multipart::create;
    upload_part: UploadPartInput -> UploadPartOutput = multipart::part;
    upload_part_copy: UploadPartCopyInput -> UploadPartCopyOutput = copy::part;
    complete_multipart_upload: CompleteMultipartUploadInput -> CompleteMultipartUploadOutput = multipart::complete;
    abort_multipart_upload: AbortMultipartUploadInput -> AbortMultipartUploadOutput = multipart::abort;
    list_parts: ListPartsInput -> ListPartsOutput = parts::list;
    list_multipart_uploads: ListMultipartUploadsInput -> ListMultipartUploadsOutput = parts::uploads;
}
