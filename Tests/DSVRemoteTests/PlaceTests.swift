import DSVFormat
import DSVRemote
import DSVTesting
import Foundation
import Testing

@Suite struct PlaceTests {
  @Test("a remote's URL is a bucket with a prefix, or a folder")
  func urls() throws {
    #expect(try BucketURL("s3://data") == .s3(bucket: "data", prefix: ""))
    #expect(try BucketURL("s3://data/") == .s3(bucket: "data", prefix: ""))
    #expect(try BucketURL("s3://data/a/b/") == .s3(bucket: "data", prefix: "a/b"))
    #expect(try BucketURL("file:///mnt/x") == .folder(path: "/mnt/x"))
    for text in ["data", "https://x", "file://x", "s3:/data", ""] {
      #expect(try #require(throws: DSVError.self) { try BucketURL(text) }.code == .badInput)
    }
  }

  @Test("an endpoint is a scheme, a host and perhaps a port")
  func endpoints() throws {
    for (text, wanted) in [
      ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
      ("https://S3.Example.org/", "https://s3.example.org"),
      ("https://a:443", "https://a"), ("http://a:80", "http://a"), ("https://a:80", "https://a:80"),
      ("http://[::1]:9000", "http://[::1]:9000"), ("HTTP://x", "http://x"),
    ] {
      #expect(try S3Place.Endpoint(text).description == wanted)
    }
    for text in [
      "x", "ftp://x", "http://", "http://a/b", "http://user:p@x", "http://a:0", "http://a:99999",
      "http://a b", "https://a?x",
    ] {
      #expect(throws: DSVError.self, "\(text)") { try S3Place.Endpoint(text) }
    }
  }

  @Test("a bucket's name stands before the host where it can, and else in the path")
  func styles() throws {
    let local = try S3Place.Endpoint("http://127.0.0.1:9000")
    let named = try S3Place.Endpoint("https://s3.example.org")
    #expect(try S3Place(bucket: "data", endpoint: local).isPathStyle)
    #expect(try S3Place(bucket: "data", endpoint: S3Place.Endpoint("http://localhost:1")).isPathStyle)
    #expect(try !S3Place(bucket: "data", endpoint: named).isPathStyle)
    #expect(try S3Place(bucket: "data", endpoint: named, isPathStyle: true).isPathStyle)
    #expect(try S3Place(bucket: "da.ta", endpoint: named).isPathStyle)
    #expect(try !S3Place(bucket: "data").isPathStyle)
    for place in [
      ("a", ""), ("a/b", ""), ("data", "/a"), ("data", "a//b"), ("data", "a/../b"), ("data", "a\n"),
    ] {
      #expect(throws: DSVError.self, "\(place)") { try S3Place(bucket: place.0, prefix: place.1) }
    }
    #expect(throws: DSVError.self) { try S3Place(bucket: "data", region: "eu/west") }
  }

  static func load(_ environment: [String: String], credentials: String? = nil, config: String? = nil) throws
    -> AWSProfile
  {
    let folder = try TemporaryFolder()
    var environment = environment
    environment["AWS_SHARED_CREDENTIALS_FILE"] = "\(folder.path)/credentials"
    environment["AWS_CONFIG_FILE"] = "\(folder.path)/config"
    if let credentials { try folder.write("credentials", credentials) }
    if let config { try folder.write("config", config) }
    return try AWSProfile.load { environment[$0] }
  }

  static let credentials = """
    # a comment
    [default]
    aws_access_key_id = AKIADEFAULT
    aws_secret_access_key=secret/with=equals
    ; another
    [ other ]
    aws_access_key_id = AKIAOTHER
    aws_secret_access_key = other-secret
    aws_session_token = token
    region = ap-south-1
    [half]
    aws_access_key_id = AKIAHALF
    """
  static let config = """
    [default]
    region = eu-central-1
    s3 =
      addressing_style = path
      region = not-this
    [profile   other]
    endpoint_url = https://s3.example.org
    [profile roles]
    role_arn = x
    """

  @Test("credentials come from the environment, then from the files, by profile")
  func profiles() throws {
    let fromDefault = try Self.load([:], credentials: Self.credentials, config: Self.config)
    #expect(
      fromDefault
        == AWSProfile(
          credentials: AWSCredentials(accessKeyID: "AKIADEFAULT", secretKey: "secret/with=equals"),
          region: "eu-central-1"))
    let other = try Self.load(["AWS_PROFILE": "other"], credentials: Self.credentials, config: Self.config)
    #expect(
      other
        == AWSProfile(
          credentials: AWSCredentials(
            accessKeyID: "AKIAOTHER", secretKey: "other-secret", sessionToken: "token"),
          region: "ap-south-1", endpoint: "https://s3.example.org"))
    let own = try Self.load(
      [
        "AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_PROFILE": "other",
        "AWS_REGION": "x-1",
        "AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b",
      ], credentials: Self.credentials, config: Self.config)
    #expect(
      own
        == AWSProfile(
          credentials: AWSCredentials(accessKeyID: "AKIAENV", secretKey: "s"), region: "x-1",
          endpoint: "http://b"))
    #expect(try Self.load([:]) == AWSProfile(credentials: nil))
    #expect(try Self.load(["AWS_PROFILE": "roles"], config: Self.config).credentials == nil)
  }

  @Test("half of the credentials, a profile that is not there, and an end of line in a secret are told")
  func badProfiles() throws {
    for environment in [
      ["AWS_ACCESS_KEY_ID": "AKIA"], ["AWS_PROFILE": "half"], ["AWS_PROFILE": "none"],
      ["AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "top-secret\r\nx: y"],
    ] {
      let error = try #require(throws: DSVError.self) {
        try Self.load(environment, credentials: Self.credentials)
      }
      #expect(error.code == .badInput && !error.description.contains("top-secret"))
    }
  }
}
