package import DSVFormat
import DSVSystem
import Synchronization

/// Bytes that are written once and then read again, in a file in `tmp/`. Gone with the last reference.
///
/// In an encrypted repository the file holds tokens, under a key that only this object has. One thread writes; then any may read.
package final class Spool: Sendable {
  /// A stretch that was written at once.
  private struct Piece {
    let start: Int
    let count: Int
    let fileOffset: Int
    let tokenByteCount: Int
  }

  private struct State {
    var pieces: [Piece] = []
    var byteCount = 0
    var fileByteCount = 0
    /// The piece that was opened last, and what it holds.
    var opened: (start: Int, bytes: [UInt8])?
  }

  private let owner: TemporaryFile
  private let key: FernetKey?
  private let state = Mutex(State())

  init(in folder: String, isSealed: Bool) throws(DSVError) {
    owner = try TemporaryFile(in: folder)
    key = isSealed ? .random() : nil
  }

  package func append(_ bytes: [UInt8]) throws(DSVError) {
    let stored = key.map { key in bytes.withUnsafeBytes { Fernet.seal($0, with: key) } } ?? bytes
    let offset = state.withLock { $0.fileByteCount }
    try owner.file.write(stored, at: offset)
    state.withLock { state in
      state.pieces.append(
        Piece(
          start: state.byteCount, count: bytes.count, fileOffset: offset, tokenByteCount: stored.count))
      state.byteCount += bytes.count
      state.fileByteCount += stored.count
    }
  }

  /// Fills `buffer` from `offset` on, as far as one stretch goes that was written at once; returns 0 at the end only.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(DSVError) -> Int {
    guard let key else { return try owner.file.read(into: buffer, at: offset) }
    return try state.withLock { (state) throws(DSVError) in
      guard let index = state.pieces.lastIndex(where: { $0.start <= offset }) else { return 0 }
      let piece = state.pieces[index]
      guard offset < piece.start + piece.count else { return 0 }
      if state.opened?.start != piece.start {
        let token = try owner.file.read(piece.tokenByteCount, at: piece.fileOffset)
        let bytes = try token.withBytes { (token) throws(DSVError) in
          try Fernet.open(token, with: key, of: owner.file.path)
        }
        state.opened = (piece.start, bytes)
      }
      guard let opened = state.opened else { return 0 }
      let rest = opened.bytes[(offset - piece.start)...].prefix(buffer.count)
      buffer.copyBytes(from: rest)
      return rest.count
    }
  }
}

extension Store {
  /// A file for what does not fit into memory, which nobody else can read if the repository is encrypted.
  package func spool() throws(DSVError) -> Spool {
    try Spool(in: folder.temporary, isSealed: isEncrypted)
  }
}
