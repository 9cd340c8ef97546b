// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.20 <0.9.0;

/// The smallest contract wallet that can pay: EIP-1271 over one owner's key. It reads the first 65 bytes of a
/// signature (r, s, v) and ignores what follows, so a test can present signatures of any greater length.
/// No constructor state: `setOwner` names the owner once, after the code was placed.
contract TestWallet {
    address public owner;

    function setOwner(address account) external {
        require(owner == address(0), "TestWallet: owner is set");
        owner = account;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        if (signature.length < 65 || owner == address(0)) return 0xffffffff;
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        return ecrecover(hash, uint8(signature[64]), r, s) == owner ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}
