package import DSVFormat
package import DSVRemote
import DSVSystem

// Tests have nothing to hide.

extension RemoteEntry {
  package var bytes: [UInt8] { secretBytes.withBytes { [UInt8]($0) } }

  package init(_ bytes: [UInt8], of subject: String) throws(DSVError) {
    self = try bytes.withBytes { (bytes) throws(DSVError) in try RemoteEntry(bytes, of: subject) }
  }
}

extension Checkpoint {
  package var bytes: [UInt8] { secretBytes.withBytes { [UInt8]($0) } }

  package init(_ bytes: [UInt8], of subject: String) throws(DSVError) {
    self = try bytes.withBytes { (bytes) throws(DSVError) in try Checkpoint(bytes, of: subject) }
  }
}
