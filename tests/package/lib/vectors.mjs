// The checks of a vector file, for any runtime: the functions come in as an argument, a difference goes out as an error.

function same(found, wanted, what) {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`${what}: ${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
  }
}

/** Everything that tests/vectors/eip3009.json says of the payer's functions. */
export function checkEip3009(x402, vector) {
  const { privateKey, address, digest, signature } = vector;
  same(x402.address(privateKey), address, "address");
  same(x402.sign(privateKey, digest), signature, "signature");
  checkSigned(x402, vector);
}

/** What it says to somebody without a key. */
export function checkSigned(x402, vector) {
  const { address, requirements, authorization, digest, signature } = vector;
  same(x402.digest(requirements, authorization), digest, "digest");
  same(x402.digest(JSON.stringify(requirements), JSON.stringify(authorization)), digest, "digest of texts");
  same(x402.recover(digest, signature), address, "recovered address");

  const document = x402.typedData(requirements, authorization);
  same(document.primaryType, "TransferWithAuthorization", "primary type");
  same(document.message, authorization, "message");
  const { name, version } = requirements.extra;
  same(document.domain, { name, version, chainId: 84532, verifyingContract: requirements.asset }, "domain");
  const members = (type) => document.types[type].map(({ name, type }) => `${type} ${name}`).join(",");
  const types = Object.keys(vector.typeHashes);
  same(types.includes(`EIP712Domain(${members("EIP712Domain")})`), true, "domain type");
}
