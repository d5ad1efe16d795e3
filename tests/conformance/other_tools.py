"""The other side of a signature: securesystemslib's envelopes, in-toto's statements."""
import hashlib, json, sys
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from google.protobuf.json_format import ParseDict
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
import in_toto_attestation.v1.statement_pb2 as statement_pb2
from google.protobuf.json_format import MessageToDict
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey

TYPE = "application/vnd.in-toto+json"


def sign(kind):
    make = {
        "ed25519": lambda: ed25519.Ed25519PrivateKey.generate(),
        "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
    }
    key = make[kind]()
    pem = key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    public = key.public_key().public_bytes(ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo)
    open("key.pem", "wb").write(pem)
    open("key.pub", "wb").write(public)
    digest = hashlib.sha256(open("artifact", "rb").read()).hexdigest()
    subject = ResourceDescriptor(name="artifact", digest={"sha256": digest})
    statement = Statement(subjects=[subject.pb], predicate_type="https://example.com/reviewed/v1", predicate={"by": "two"})
    statement.validate()
    payload = json.dumps(MessageToDict(statement.pb)).encode()
    open("statement.json", "wb").write(payload)
    envelope = Envelope(payload, TYPE, {})
    envelope.sign(CryptoSigner(key))
    json.dump(envelope.to_dict(), open("theirs.json", "w"))


def verify():
    public = ser.load_pem_public_key(open("key.pub", "rb").read())
    der = public.public_bytes(ser.Encoding.DER, ser.PublicFormat.SubjectPublicKeyInfo)
    key = SSlibKey.from_crypto(public, keyid=hashlib.sha256(der).hexdigest())
    envelope = Envelope.from_dict(json.load(open("ours.json")))
    assert key.keyid in envelope.verify([key], 1)
    assert envelope.payload_type == TYPE and envelope.payload == open("statement.json", "rb").read()
    Statement.copy_from_pb(ParseDict(json.loads(envelope.payload), statement_pb2.Statement())).validate()


if __name__ == "__main__":
    {"modules": lambda: None, "sign": lambda: sign(sys.argv[2]), "verify": verify}[sys.argv[1]]()
