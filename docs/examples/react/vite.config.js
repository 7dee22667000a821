// JSX as React 17 and later have it: without React in every file.
export default { esbuild: { jsx: "automatic" } };
