package import DSVFormat

extension RemoteAddress {
  /// The place itself.
  ///
  /// - Parameter makes: whether a folder that is not there is made; its parent exists.
  package func open(makes: Bool) throws(DSVError) -> any Bucket {
    try check()
    if url.hasPrefix("file://") {
      return try FolderBucket(String(url.dropFirst("file://".count)), isMade: makes)
    }
    throw DSVError(.badInput, "'\(url)': this build knows file:/// remotes only")
  }
}
