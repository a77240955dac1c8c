"""Opens the keyring of an encrypted repository: written from format-spec/encryption.md, without dsv's code.

    python3 encryption.py FOLDER      FOLDER holds `keyring`, and `key` or `passphrase` or both

Needs the package `cryptography`; with `xxhash` it verifies the checksum too. Prints what it found, and no secret.
"""
import base64
import hashlib
import hmac
import pathlib
import struct
import sys

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

try:
    import xxhash
except ImportError:
    xxhash = None


class Corrupt(Exception):
    pass


class WrongKey(Exception):
    pass


def hkdf(key, info, length=32):
    return HKDF(SHA256(), length, salt=None, info=info).derive(key)


def open_token(key, token):
    """2.1: a raw token; in base64 it is one of Fernet's."""
    try:
        return Fernet(base64.urlsafe_b64encode(key)).decrypt(base64.urlsafe_b64encode(token))
    except InvalidToken:
        raise Corrupt("a token") from None


class Slot:
    """2.4: a user key's."""

    def __init__(self, data):
        self.key_id, self.derivation, self.log_n, reserved, self.r, self.p, self.salt, self.token = struct.unpack(
            "<8sBBHII16s105s", data)
        if reserved or self.derivation > 1:
            raise Corrupt("a slot")

    def secret(self, key, passphrase):
        if self.derivation == 0:
            return key
        if self.derivation == 1 and passphrase is not None:
            return Scrypt(self.salt, 32, 2**self.log_n, self.r, self.p).derive(passphrase)
        return None

    def ring_key(self, key, passphrase):
        """The ring key, or None if that user key is not this slot's."""
        secret = self.secret(key, passphrase)
        if secret is None or hkdf(secret, b"dsv key ID", 8) != self.key_id:
            return None
        return open_token(hkdf(secret, b"dsv ring key" + self.key_id), self.token)


class Keyring:
    """2.4."""

    def __init__(self, data):
        content, (checksum,) = data[:-8], struct.unpack("<Q", data[-8:])
        if xxhash and xxhash.xxh3_64_intdigest(content) != checksum:
            raise Corrupt("the checksum")
        magic, revision, reserved, self.generation, count, body = struct.unpack_from("<4sHHQII", content)
        if (magic, revision, reserved) != (b"dsvY", 1, 0) or not 1 <= count <= 64:
            raise Corrupt("the header")
        head = 24 + 141 * count
        if head + body != len(content):
            raise Corrupt("the length")
        self.slots = [Slot(content[at : at + 141]) for at in range(24, head, 141)]
        self.digest, self.body = hashlib.sha256(content[:head]).digest(), content[head:]

    def open(self, key=None, passphrase=None):
        for slot in self.slots:
            if ring_key := slot.ring_key(key, passphrase):
                return slot.key_id, Secrets(open_token(hkdf(ring_key, b"dsv keyring" + self.digest), self.body))
        raise WrongKey()


class Secrets:
    """2.5: what the body holds."""

    def __init__(self, data):
        self.id_key, self.key_index, self.cut_seed, log_count, pack_count = struct.unpack_from("<32s32sQII", data)
        self.log_keys = dict(struct.iter_unpack("<I32s", data[80 : 80 + 36 * log_count]))
        self.pack_keys = dict(struct.iter_unpack("<16s32s", data[80 + 36 * log_count :]))
        if (len(self.log_keys), len(self.pack_keys)) != (log_count, pack_count):
            raise Corrupt("the counts")

    def object_id(self, kind, plain):
        return hmac.digest(self.id_key, bytes([kind]) + plain, "sha256")

    def ref_key(self, name):
        return hmac.digest(hkdf(self.id_key, b"dsv ref name"), name.encode(), "sha256")

    def object_key(self, pack, object_id, kind, plain_byte_count, depth=0, base=b""):
        head = struct.pack("<BBI", kind, depth, plain_byte_count)
        return hkdf(self.pack_keys[pack], b"dsv object" + object_id + head + base)

    def open_object(self, pack, object_id, kind, depth, plain_byte_count, body):
        """store.md 2.2: the body of a record, its token opened; a base's ID stays in front."""
        base = body[:32] if depth else b""
        key = self.object_key(pack, object_id, kind, plain_byte_count, depth, base)
        return base + open_token(key, body[len(base) :])

    def open_log(self, offset, body):
        """store.md 2.3: the body of a record of the reflog that begins there."""
        (epoch,) = struct.unpack_from("<I", body)
        return open_token(hkdf(self.log_keys[epoch], b"dsv reflog" + struct.pack("<Q", offset)), body[4:])


def read_key(file):
    return base64.urlsafe_b64decode(file.read_text().strip())


def main():
    folder = pathlib.Path(sys.argv[1])
    keyring = Keyring((folder / "keyring").read_bytes())
    print("generation", keyring.generation)
    print("keys", *(slot.key_id.hex() for slot in keyring.slots))
    secrets = None
    if (folder / "key").exists():
        key_id, secrets = keyring.open(key=read_key(folder / "key"))
        print("opened by", key_id.hex())
    if (folder / "passphrase").exists():
        key_id, secrets = keyring.open(passphrase=(folder / "passphrase").read_bytes().removesuffix(b"\n"))
        print("opened by", key_id.hex())
    print("cut seed", secrets.cut_seed)
    print("epochs", *secrets.log_keys)
    print("packs", *(pack.hex() for pack in secrets.pack_keys))
    print("chunk abc is", secrets.object_id(1, b"abc").hex())
    print("ref heads/main is", secrets.ref_key("heads/main").hex())
    # The token that the specification shows.
    text = (pathlib.Path(__file__).parent.parent / "encryption.md").read_text()
    block = text.split("```hex object token\n")[1].split("```")[0]
    token = bytes.fromhex("".join(line.split("#")[0] for line in block.splitlines()))
    pack, object_id = bytes(range(0x10, 0x20)), bytes(range(0x40, 0x60))
    print("object", open_token(secrets.object_key(pack, object_id, 1, 12), token).decode())


if __name__ == "__main__":
    main()
