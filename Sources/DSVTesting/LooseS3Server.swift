package import DSVFormat
package import DSVRemote

/// `loose_s3.py`: objects in memory behind as much S3 as a client needs. It keeps no conditions, so it is no place to push to;
/// but it is fast for a server in Python, and can be as late as one far away. Ends with the last reference to it.
package final class LooseS3Server: Sendable {
  package let endpoint: String
  private let process: ChildProcess

  /// - Parameters:
  ///   - hasRanges: whether it gives parts of values, as nearly every server does.
  ///   - latency: how many milliseconds each answer comes late.
  package init(hasRanges: Bool = false, latency: Int = 0) throws(DSVError) {
    let options = (hasRanges ? ["--ranges"] : []) + ["--latency", "\(latency)"]
    process = try ChildProcess(["python3", S3Server.script("loose_s3.py")] + options)
    endpoint = try process.readLine()
  }

  /// Its one bucket, which keeps it alive.
  package func open(policy: RetryPolicy = .forTests) throws(DSVError) -> S3Bucket {
    let place = try S3Place(bucket: "bucket", endpoint: try S3Place.Endpoint(endpoint), isPathStyle: true)
    let world = S3Client.World(Curl()) { [self] () throws(DSVError) in
      withExtendedLifetime(self) { AWSCredentials(accessKeyID: "key", secretKey: "secret") }
    }
    return S3Bucket(try S3Client(place, world, policy: policy))
  }
}
