//! The assets a price in dollars means, and the EIP-712 domains they really have.
//!
//! Source: the default-asset tables of the reference packages 2.27.0. A payer signs for these and no others
//! unless it is told to; a gate prices in them by symbol. A network's first row is its default.

use crate::types::network::Network;

/// How an asset moves by signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferMethod {
    /// EIP-3009 `transferWithAuthorization`.
    Eip3009,
    /// Through Permit2; the token also has EIP-2612 `permit`.
    Permit2Eip2612,
    /// Through Permit2 after an ordinary `approve`.
    Permit2,
}

use TransferMethod::{Eip3009, Permit2, Permit2Eip2612};

/// One known asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The EVM chain it lives on.
    pub chain_id: u64,
    /// What people call it, such as `USDC`.
    pub symbol: &'static str,
    /// The token contract, with its EIP-55 checksum.
    pub address: &'static str,
    /// The EIP-712 domain's `name`.
    pub name: &'static str,
    /// The EIP-712 domain's `version`.
    pub version: &'static str,
    /// Decimals: one token is 10^decimals atomic units.
    pub decimals: u8,
    /// How it moves.
    pub method: TransferMethod,
}

const fn row(
    chain_id: u64,
    symbol: &'static str,
    address: &'static str,
    name: &'static str,
    version: &'static str,
    decimals: u8,
    method: TransferMethod,
) -> Asset {
    Asset { chain_id, symbol, address, name, version, decimals, method }
}

/// All rows; the first of a chain is its default.
#[rustfmt::skip]
pub const ASSETS: &[Asset] = &[
    row(8453, "USDC", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USD Coin", "2", 6, Eip3009), // Base
    row(84_532, "USDC", "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "USDC", "2", 6, Eip3009), // Base Sepolia
    row(1, "USDC", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USD Coin", "2", 6, Eip3009), // Ethereum
    row(43_114, "USDC", "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", "USD Coin", "2", 6, Eip3009), // Avalanche C
    row(4326, "MegaUSD", "0xFAfDdbb3FC7688494971a79cc65DCa3EF82079E7", "MegaUSD", "1", 18, Permit2Eip2612), // MegaETH
    row(143, "USDC", "0x754704Bc059F8C67012fEd69BC8A327a5aafb603", "USDC", "2", 6, Eip3009), // Monad
    row(988, "USDT0", "0x779Ded0c9e1022225f8E0630b35a9b54bE713736", "USDT0", "1", 6, Eip3009), // Stable
    row(2201, "USDT0", "0x78Cf24370174180738C5B8E352B6D14c83a6c9A9", "USDT0", "1", 6, Eip3009), // Stable testnet
    row(137, "USDC", "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", "USD Coin", "2", 6, Eip3009), // Polygon
    row(42_161, "USDC", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USD Coin", "2", 6, Eip3009), // Arbitrum One
    row(421_614, "USDC", "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", "USD Coin", "2", 6, Eip3009), // Arbitrum Sepolia
    row(31_612, "mUSD", "0xdD468A1DDc392dcdbEf6db6e34E89AA338F9F186", "Mezo USD", "1", 18, Permit2Eip2612), // Mezo
    row(31_611, "mUSD", "0x118917a40FAF1CD7a13dB0Ef56C86De7973Ac503", "Mezo USD", "1", 18, Permit2Eip2612), // Mezo testnet
    row(723_487, "SBC", "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb", "Stable Coin", "1", 6, Permit2Eip2612), // Radius
    row(72_344, "SBC", "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb", "Stable Coin", "1", 6, Permit2Eip2612), // Radius testnet
    row(36_900, "USDC.e", "0x9cb8142aEBBcdc60AF7c97Af897A67A8f3CA71C2", "USDC.e", "2", 6, Eip3009), // ADI
    row(190_415, "USDC.e", "0x401eCb1D350407f13ba348573E5630B83638E30D", "Bridged USDC", "2", 6, Eip3009), // HPP
    row(181_228, "USDC.e", "0x401eCb1D350407f13ba348573E5630B83638E30D", "Bridged USDC", "2", 6, Eip3009), // HPP Sepolia
    row(50, "USDC", "0xfA2958CB79b0491CC627c1557F441eF849Ca8eb1", "USDC", "2", 6, Eip3009), // XDC
    row(51, "USDC", "0xb5AB69F7bBada22B28e79C8FFAECe55eF1c771D4", "USDC", "2", 6, Eip3009), // XDC Apothem
    row(38_833, "USDC", "0xA5b8BF902b2844dA17d4506cc827F7F1681735E7", "USDC", "1", 6, Permit2), // Igra
    row(14, "USDT0", "0xe7cd86e13AC4309349F30B3435a9d337750fC82D", "USD\u{20ae}0", "1", 6, Eip3009), // Flare
    row(42_220, "USDC", "0xcebA9300f2b948710d2653dD7B07f33A8B32118C", "USDC", "2", 6, Eip3009), // Celo
    row(42_220, "USDT", "0x48065fbBE25f71C9282ddf5e1cD6D6A887483D5e", "Tether USD", "1", 6, Eip3009), // Celo
    row(42_220, "USAT", "0xD2ab3C9A02DBBAB236BfEC45D1d755DF4267F771", "Tether America USD", "1", 6, Eip3009), // Celo
    row(11_142_220, "USDC", "0x01C5C0122039549AD1493B8220cABEdD739BC44E", "USDC", "2", 6, Eip3009), // Celo Sepolia
    row(1329, "USDC", "0xe15fC38F6D8c56aF07bbCBe3BAf5708A2Bf42392", "USDC", "2", 6, Eip3009), // Sei
    row(1328, "USDC", "0x4fCF1784B31630811181f670Aea7A7bEF803eaED", "USDC", "2", 6, Eip3009), // Sei testnet
];

/// The asset a price without a symbol means on this network.
pub fn default_asset(network: &Network) -> Option<&'static Asset> {
    let chain_id = network.evm_chain_id()?;
    ASSETS.iter().find(|asset| asset.chain_id == chain_id)
}

/// The asset with this symbol, in any case of letters.
pub fn by_symbol(network: &Network, symbol: &str) -> Option<&'static Asset> {
    let chain_id = network.evm_chain_id()?;
    ASSETS.iter().find(|asset| asset.chain_id == chain_id && asset.symbol.eq_ignore_ascii_case(symbol))
}

/// The asset at this address, written in any case of letters.
pub fn by_address(network: &Network, address: &str) -> Option<&'static Asset> {
    let chain_id = network.evm_chain_id()?;
    ASSETS.iter().find(|asset| asset.chain_id == chain_id && asset.address.eq_ignore_ascii_case(address))
}
