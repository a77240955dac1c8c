extension DataType { package init(parsing text: String) throws(DSVError) { self = .int64 } }
