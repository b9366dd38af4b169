package origin

// base is where the server of these tests is reached.
const base = "https://files.example"
