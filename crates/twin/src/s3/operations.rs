//! The operations that the service has; every other one of the protocol answers `NotImplemented` with its name.

use std::sync::Arc;

use async_trait::async_trait;
use s3s::{S3, S3Request, S3Response, S3Result, dto::*, s3_error};

use super::{Backend, context::Context};

/// The backend as the protocol layer wants it.
pub(super) struct Operations(pub(super) Arc<Backend>);

macro_rules! operations {
    ($( $operation:ident: $Input:ident => $Output:ident; )*) => {
        #[async_trait]
        impl S3 for Operations {
            $(
                async fn $operation(&self, mut request: S3Request<$Input>) -> S3Result<S3Response<$Output>> {
                    let context = request.extensions.remove::<Context>();
                    let context = context.ok_or_else(|| s3_error!(InternalError, "the request has no caller"))?;
                    self.0.$operation(&context, request.input).map(S3Response::new)
                }
            )*
        }
    };
}

operations! {
    create_bucket: CreateBucketInput => CreateBucketOutput;
    delete_bucket: DeleteBucketInput => DeleteBucketOutput;
    head_bucket: HeadBucketInput => HeadBucketOutput;
    list_buckets: ListBucketsInput => ListBucketsOutput;
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput;
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput;
    put_bucket_versioning: PutBucketVersioningInput => PutBucketVersioningOutput;
    put_object: PutObjectInput => PutObjectOutput;
    get_object: GetObjectInput => GetObjectOutput;
    head_object: HeadObjectInput => HeadObjectOutput;
    copy_object: CopyObjectInput => CopyObjectOutput;
    delete_object: DeleteObjectInput => DeleteObjectOutput;
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput;
    list_objects: ListObjectsInput => ListObjectsOutput;
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output;
    list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput;
}
