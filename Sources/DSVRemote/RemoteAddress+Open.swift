package import DSVFormat

extension RemoteAddress {
  /// The place itself. Credentials are those of the environment.
  ///
  /// - Parameters:
  ///   - makes: whether a folder that is not there is made; its parent exists.
  ///   - isInterrupted: asked while a call is under way, which then throws `.interrupted`.
  package func open(
    makes: Bool, isInterrupted: @escaping @Sendable () -> Bool = { false }
  ) throws(DSVError) -> any Bucket {
    switch try BucketURL(url) {
    case .folder(let path): return try FolderBucket(path, isMade: makes)
    case .s3(let bucket, let prefix):
      return try S3Bucket(
        bucket: bucket, prefix: prefix, endpoint: endpoint, region: region,
        isPathStyle: isPathStyle ? true : nil,
        isInterrupted: isInterrupted)
    }
  }
}
