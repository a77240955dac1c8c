// Whoever imports DSV sees the types that its public API is made of, wherever they are declared.
@_exported public import DSVFormat
@_exported public import DSVVersions
